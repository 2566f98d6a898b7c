// SPDX-License-Identifier: Apache-2.0
// Brings this machine's part of a fleet up and keeps it up: the lock, the
// programs, the question whether all is ready, and the supervisor.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "actors/shell/connection.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/signals.hpp"

namespace forkfleet::shell {

struct launch_options {
  std::string log_directory = {};
  /// Whether sandboxes end with this process, however it ends.
  bool is_leashed = true;
  /// Whether sandboxes end when the fleet is stopped.
  bool stop_sandboxes = true;
  std::chrono::milliseconds start_limit{120'000};
};

/// Whom a starting fleet tells how far it is.
struct launch_reporter {
  std::function<void(const std::string&)> note;
  std::function<void(const std::string&)> progress;
  /// Called once, with a sentence about what runs.
  std::function<void(const std::string&)> ready;
};

/// Starts the programs of this machine, waits until they are ready, keeps
/// them running until a signal comes, and stops them. `conflict` when another
/// process keeps this fleet up. Everything has been told to `reporter`.
exit_code keep_up(const loaded_fleet& fleet, const launch_options& options,
                  const config::environment& env, signal_source& signals,
                  const launch_reporter& reporter);

/// "The fleet demo is up already: process 123 keeps it."
std::string already_up(const config::fleet_file& fleet);

} // namespace forkfleet::shell
