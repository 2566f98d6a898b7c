// SPDX-License-Identifier: Apache-2.0
// Runs one program in a guest until its end: starts it, takes what it prints
// while it runs, ends it when that is wanted, and forgets it.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "actors/error.hpp"
#include "actors/exec_protocol.hpp"

namespace forkfleet::shell {

/// What the world does for it.
struct program_calls {
  using time_point = std::chrono::steady_clock::time_point;

  std::function<expected<exec_report>(const exec_request&, milliseconds)> ask;
  std::function<void(milliseconds)> wait; // shorter when somebody stops it
  std::function<time_point()> now;
  std::function<bool()> is_stopped;
};

/// Where its outputs go; false: they cannot go there any more.
struct program_sinks {
  std::function<bool(std::string_view)> output;
  std::function<bool(std::string_view)> errors;
};

/// How it ended.
struct program_end {
  uint64_t status = 0;
  bool was_late = false;
  bool was_stopped = false;
  bool is_still_printing = false; // by what it left behind
};

/// `start` has its operation's id. Errors leave nothing running that could be
/// reached; deadline_exceeded and node_down name the operation.
expected<program_end> run_program(const exec_request& start,
                                  const program_sinks& sinks,
                                  const program_calls& calls);

} // namespace forkfleet::shell
