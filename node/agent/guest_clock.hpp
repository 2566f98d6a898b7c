// SPDX-License-Identifier: Apache-2.0
// A guest's clock against ours: asked, set, and asked again, because what
// sets it takes an unknown time to begin.
#pragma once

#include <functional>

#include "node/agent/guest_agent.hpp"

namespace forkfleet {

/// Our own time, in Unix time.
using wall_clock = std::function<std::chrono::microseconds()>;

/// What both clocks showed at one moment.
struct clock_reading {
  std::chrono::microseconds guest{0};
  std::chrono::microseconds host{0};
  /// The guest's may have been read so much before or after.
  std::chrono::microseconds doubt{0};

  std::chrono::microseconds difference() const { return guest - host; }
};

/// How far a guest's clock may be from ours: a difference of at most the
/// first is looked for; after some tries the second is good enough, with the
/// doubt.
inline constexpr std::chrono::microseconds clock_wanted{15'000};
inline constexpr std::chrono::microseconds clock_accepted{80'000};

/// How often it is set at most.
inline constexpr int clock_tries_max = 10;

/// Whether the guest's `date` sets parts of a second.
enum class clock_grain : uint8_t { fraction, second };

/// Asks for the guest's clock a few times; the surest answer.
expected<clock_reading> read_clock(guest_agent& agent, const wall_clock& wall,
                                   deadline_point until);

/// Sets the guest's clock until it is ours, each time so much ahead as it was
/// late before. What it is in the end. vmm_refused when the guest can neither
/// tell nor set it, and when it is another in the end and the time that its
/// answer took does not explain it.
expected<clock_reading> set_clock(guest_agent& agent, const wall_clock& wall,
                                  clock_grain grain, deadline_point until);

} // namespace forkfleet
