// SPDX-License-Identifier: Apache-2.0
// What a series of measured times comes to: quantiles, how it ends compared
// with how it begins, and ratios between series. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace forkfleet::bench {

using std::chrono::microseconds;

using time_series = std::vector<microseconds>;

/// A series in a few numbers. Quantiles are by nearest rank; all are 0 for an
/// empty series.
struct summary {
  std::size_t count = 0;
  microseconds p50{0};
  microseconds p90{0};
  microseconds max{0};
  microseconds first_half_p50{0};
  microseconds second_half_p50{0};

  friend bool operator==(const summary&, const summary&) = default;
};

/// The value at `percent` of the sorted series: p50 of two values is the
/// smaller.
microseconds quantile(time_series series, unsigned percent);

/// `series` is in order of time; an odd one in the middle counts for the
/// second half.
summary summarize(const time_series& series);

/// How many times `b` is in `a`; a `b` of nothing counts as a microsecond.
double ratio(microseconds a, microseconds b);

/// The order of `count` arms in a round: each begins with the next one, so
/// that none always comes after the same.
std::vector<std::size_t> rotated(std::size_t count, std::size_t round);

} // namespace forkfleet::bench
