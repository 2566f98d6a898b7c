// SPDX-License-Identifier: Apache-2.0
// Which fleet a verb means, when it is told little: by option, environment,
// the file in this directory, or the fleet that was started last.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "actors/error.hpp"
#include "config/fleet_file.hpp"
#include "config/load.hpp"

namespace forkfleet::shell {

/// What the command line says about it.
struct fleet_options {
  std::string fleet = {};
  std::optional<config::endpoint> coordinator = {};
  config::tls_files tls = {};
  std::string token = {}; // a file
};

/// A fleet file, or an address without one.
struct fleet_choice {
  std::string path = {}; // of the fleet file; empty: `coordinator` says it
  config::endpoint coordinator = {};
  config::tls_files tls = {};
  std::string token = {}; // a file; empty: none is given

  friend bool operator==(const fleet_choice&, const fleet_choice&) = default;
};

/// Answers questions about files; replaced in tests.
struct file_view {
  std::function<bool(const std::string&)> exists;
  /// The first line; empty when it cannot be read.
  std::function<std::string(const std::string&)> first_line;
};

/// The real files.
file_view real_files();

/// Which fleet and, by --token or $FORKFLEET_TOKEN, with which token. In this
/// order: --fleet or --coordinator, $FORKFLEET_FLEET, ./fleet.yaml,
/// the fleet that `up` started last. invalid_request says how to choose when
/// there is none, or when both options are given.
expected<fleet_choice> choose_fleet(const fleet_options& options,
                                    const config::environment& env,
                                    const file_view& files);

/// Where `up` notes the fleet that it started last:
/// $XDG_STATE_HOME/forkfleet/current.fleet. Empty without a home directory.
std::string context_path(const config::environment& env);

/// Notes that the fleet of the file `path` was started.
status remember_fleet(const std::string& path, const config::environment& env);

} // namespace forkfleet::shell
