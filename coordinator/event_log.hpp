// SPDX-License-Identifier: Apache-2.0
// Pure: the last events of the fleet, numbered without gaps, so that a
// follower that fell behind is told how many it missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "actors/fleet_protocol.hpp"

namespace forkfleet {

/// A ring of events. Numbers start at 1 with each coordinator's life.
class event_log {
public:
  /// Keeps the newest `kept_max` events, at least one.
  explicit event_log(std::size_t kept_max);

  /// Numbers `event` and keeps it, with its texts cut where they are too long
  /// for a page; the oldest one makes room.
  void push(fleet_event event);

  /// The events after number `after`, at most one page of them. `latest` is
  /// what to ask after next. A number from an earlier coordinator's life,
  /// one that was never given out, asks for all that is kept.
  event_list after(uint64_t after) const;

  /// No events, only the number to ask after from now on.
  event_list from_now() const;

  /// Whether `after(number)` would hold an event.
  bool has_after(uint64_t number) const;

  /// The newest event's number; 0 when there was none.
  uint64_t latest() const { return latest_; }

private:
  std::size_t kept_max_;
  uint64_t latest_ = 0;
  std::deque<fleet_event> kept_; // numbers latest_ - size + 1 .. latest_
};

} // namespace forkfleet
