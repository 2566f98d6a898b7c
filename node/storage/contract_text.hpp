// SPDX-License-Identifier: Apache-2.0
// What a child of a snapshot would run, for people who are to judge it. Pure.
// Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/vmm.hpp"

namespace forkfleet {

/// All of a contract as KEY=VALUE lines. No hash of a host's file is told.
std::vector<std::string> contract_lines(const run_contract& x);

/// The same in one line of at most so many characters.
std::string contract_line(const run_contract& x, std::size_t length_max);

} // namespace forkfleet
