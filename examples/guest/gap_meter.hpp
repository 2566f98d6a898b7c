// SPDX-License-Identifier: Apache-2.0
// How the example guest sees from inside that it stood still. Its own clock
// stops with it; the CMOS clock follows the host's. So each second of the
// CMOS clock that is shorter than a second of the guest's clock is a gap.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace forkfleet::guest {

/// Pure: fed with readings of both clocks, it finds the time that the guest
/// lost. A gap is seen at the second edge after it, a gap over an edge as
/// one of two parts, and gaps within one second as their sum.
class gap_meter {
public:
  using nanoseconds = std::chrono::nanoseconds;

  /// One reading: the CMOS clock's whole seconds, read between these two
  /// times of the guest's monotonic clock.
  struct reading {
    nanoseconds before{0};
    nanoseconds after{0};
    int64_t host_seconds = 0;
  };

  /// Takes the next reading.
  void observe(const reading& x);

  /// True when an edge is so near that `now` and the next reading must not
  /// lie far apart, or when no edge is known yet. `slack` is how late a
  /// sleeper may wake up.
  bool edge_is_near(nanoseconds now, nanoseconds slack) const;

  /// The most time lost between two edges, and between all.
  nanoseconds largest() const { return largest_; }
  nanoseconds lost() const { return lost_; }
  /// How often time was lost.
  uint64_t gaps() const { return gaps_; }
  /// Seconds of the host's clock that were watched.
  uint64_t seconds() const { return seconds_; }
  /// How well the last edge is known, plus and minus.
  nanoseconds uncertainty() const { return uncertainty_; }

private:
  struct edge {
    nanoseconds at{0};
    nanoseconds half_width{0};
    int64_t host_seconds = 0;
  };

  void take(const edge& x);
  void learn_drift(nanoseconds surplus);

  std::optional<reading> last_reading_ = {};
  std::optional<edge> last_edge_ = {};
  std::optional<edge> seen_edge_ = {}; // also if it is not known well
  // What recent seconds of the host had more on the guest's clock; the
  // middle one is the drift, which a few gaps among them do not move.
  std::array<nanoseconds, 31> surplus_ = {};
  size_t surplus_count_ = 0;
  nanoseconds drift_{0};
  nanoseconds largest_{0};
  nanoseconds lost_{0};
  nanoseconds uncertainty_{0};
  uint64_t gaps_ = 0;
  uint64_t seconds_ = 0;
};

} // namespace forkfleet::guest
