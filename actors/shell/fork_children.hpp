// SPDX-License-Identifier: Apache-2.0
// A batch of children of one snapshot: some at a time, each with an ending of
// its own. Knows no CAF.
#pragma once

#include <functional>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet::shell {

/// What a batch does with the world. Each copy of `ask` is used by one thread
/// at a time; the others by all of them.
struct fork_calls {
  using time_point = std::chrono::steady_clock::time_point;
  using ask = std::function<expected<restore_report>(const restore_request&,
                                                     milliseconds limit)>;

  /// A way to ask that no other thread uses.
  std::function<ask()> connect = {};
  std::function<time_point()> now = {};
  std::function<void(milliseconds)> wait = {};
  /// One child has its ending; one call at a time.
  std::function<void(std::size_t number, const expected<restore_report>&)>
    ended = {};
};

/// A batch's bounds.
struct fork_limits {
  std::size_t in_flight = 4; // children that are started at once
  milliseconds each{0};      // for one child, with its repeats
};

/// Asks for all of them, in order, and waits until each has an ending. A lost
/// answer is asked for again with the same operation until the child's time
/// is over: the node starts it once. Returns one result a request, in their
/// order. Needs no thread when there is none to be had: it starts the
/// children on its own.
std::vector<expected<restore_report>>
fork_children(const std::vector<restore_request>& requests,
              const fork_limits& limits, const fork_calls& calls);

} // namespace forkfleet::shell
