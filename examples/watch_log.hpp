// SPDX-License-Identifier: Apache-2.0
// What a watcher on the host learned from the example guest's records, and
// the questions that a test or a benchmark asks about it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/guest/record.hpp"

namespace forkfleet::guest {

using host_time = std::chrono::steady_clock::time_point;

/// One tick of the guest's counter.
struct tick {
  uint64_t counter = 0;
  std::chrono::microseconds guest{0}; // the guest's monotonic clock
  host_time at = {};                  // when the host read it
};

/// How long the guest was not heard between two ticks.
struct silence {
  host_time from = {};
  host_time to = {};

  std::chrono::nanoseconds duration() const { return to - from; }
};

/// All silences of a time span, by length.
struct silence_summary {
  size_t count = 0;
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};
  silence longest = {};
};

/// What the guest last said about itself.
struct guest_state {
  uint64_t errors = 0; // 255 stands for more as well
  std::string first_error = {};
  uint64_t gaps = 0;                        // how often it lost time
  std::chrono::microseconds largest_gap{0}; // as measured by the guest
  std::chrono::microseconds lost{0};        // all of its gaps
  uint64_t seconds_watched = 0;
  uint64_t sweeps = 0;
  uint64_t pages_checked = 0;
};

/// Takes the guest's bytes as they come and keeps the last ticks.
class watch_log {
public:
  /// Remembers at most this many ticks: two minutes at the usual 2,000 a
  /// second.
  static constexpr size_t ticks_max = 262144;

  /// Takes bytes that the host read at `now`.
  void feed(std::span<const uint8_t> bytes, host_time now);

  /// The first tick ever heard, and the last.
  std::optional<tick> first() const { return first_; }
  std::optional<tick> last() const;
  /// The last tick heard before `when`, the first at or after it; nothing if
  /// there is none among those remembered.
  std::optional<tick> last_before(host_time when) const;
  std::optional<tick> first_after(host_time when) const;

  /// The longest silence that overlaps the span. A guest that was not heard
  /// from some tick to the end of the span was silent for that long.
  silence longest_silence(host_time from, host_time to) const;
  /// The silences between ticks that were both heard in the span.
  silence_summary silences(host_time from, host_time to) const;

  const guest_state& state() const { return state_; }
  uint64_t ticks() const { return heard_; }
  /// How often the counter did not go on by one. A guest never leaps.
  uint64_t leaps() const { return leaps_; }
  /// Bytes that belonged to no record; the first up to 15 are usual.
  uint64_t stray_bytes() const { return stray_bytes_; }
  /// Bytes that are missing to a whole record.
  size_t bytes_wanted() const { return record_size - pending_.size(); }

private:
  void take(const record& x, host_time now);
  void take_tick(const tick& x);
  void take_text(const record& x);

  std::vector<uint8_t> pending_ = {};
  std::deque<tick> ticks_ = {};
  std::optional<tick> first_ = {};
  guest_state state_ = {};
  std::string text_ = {};
  uint64_t heard_ = 0;
  uint64_t leaps_ = 0;
  uint64_t stray_bytes_ = 0;
};

} // namespace forkfleet::guest
