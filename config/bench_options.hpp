// SPDX-License-Identifier: Apache-2.0
// The command line of `forkfleet-bench`, which `forkfleet bench` has, too.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "config/options.hpp"

namespace forkfleet::config {

/// The verbs of forkfleet-bench: chain, pause, floor, soak, fork.
const command_line& bench_command_line();

/// What was given, as the words that mean the same: the verb, then its
/// options.
std::vector<std::string> words_of(const invocation& given,
                                  const std::string& verb);

} // namespace forkfleet::config
