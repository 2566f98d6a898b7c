// SPDX-License-Identifier: Apache-2.0
// This machine: its names and addresses, so that `up` knows which part of a
// fleet is its own, and where our programs lie.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/error.hpp"
#include "config/load.hpp"

namespace forkfleet::shell {

/// What this machine is called. Addresses are numeric.
struct machine {
  std::string hostname = {};
  std::vector<std::string> addresses = {};
};

/// Asks the kernel. What it does not tell is left out.
machine this_machine();

/// Whether `host` is `here`: empty, loopback, every address (0.0.0.0, ::),
/// or one of its addresses or its name, with or without domain.
bool is_here(std::string_view host, const machine& here);

/// The path of one of our programs: in $FORKFLEET_BIN, beside this program,
/// or in $PATH, in this order. invalid_request names the places.
expected<std::string> find_program(const std::string& name,
                                   const config::environment& env);

/// The path of the file that this process runs; empty if it is not known.
std::string own_path();

} // namespace forkfleet::shell
