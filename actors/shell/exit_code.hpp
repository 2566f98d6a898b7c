// SPDX-License-Identifier: Apache-2.0
// The tool's exit codes: what a script does next. Fixed numbers, one mapping
// from our errors.
#pragma once

#include <cstddef>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::shell {

/// How the tool ends. Numbers are documented: add, never change.
enum class exit_code : int {
  done = 0,
  failed = 1,
  usage = 2,
  configuration = 3,
  not_permitted = 4,
  not_found = 5,
  conflict = 6,
  unreachable = 7,
  no_capacity = 8,
  partly = 9,
  findings = 10,
  hung_up = 129,     // 128 and the signal's number
  interrupted = 130, // the same
  terminated = 143,  // the same
};

/// What the tool ends with when all that went wrong is `code`.
exit_code exit_code_of(ec code);

/// What the tool ends with after several tries with these outcomes: `done`
/// when all went well, `partly` when some did, else the first failure's.
exit_code exit_code_of(const std::vector<ec>& outcomes);

} // namespace forkfleet::shell
