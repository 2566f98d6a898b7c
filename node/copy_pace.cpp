// SPDX-License-Identifier: Apache-2.0
#include "node/copy_pace.hpp"

#include <algorithm>
#include <cmath>

namespace forkfleet {

namespace {

/// Before this, and before a quarter of what is allowed, the pace tells little.
constexpr auto elapsed_min = std::chrono::seconds{2};
constexpr int64_t allowed_divisor = 4;

/// A copy may become faster: it counts as too slow only beyond this.
constexpr double margin = 1.5;

constexpr double mib = 1 << 20;

double seconds_of(std::chrono::microseconds x) {
  return static_cast<double>(x.count()) / 1e6;
}

std::string rounded(double x) {
  return std::to_string(std::llround(std::min(x, 1e15)));
}

} // namespace

double copy_pace::whole_seconds(uint64_t done, microseconds elapsed) const {
  const auto part = std::clamp(static_cast<double>(done)
                                 / std::max(1.0, static_cast<double>(bytes_)),
                               1e-9, 1.0);
  return seconds_of(elapsed) / part;
}

bool copy_pace::is_too_slow(uint64_t done, microseconds elapsed) const {
  if (done >= bytes_ || elapsed < elapsed_min
      || elapsed < allowed_ / allowed_divisor)
    return false;
  return whole_seconds(done, elapsed) > margin * seconds_of(allowed_);
}

std::string copy_pace::text(uint64_t done, microseconds elapsed) const {
  return rounded(static_cast<double>(done) / mib) + " of "
         + rounded(static_cast<double>(bytes_) / mib) + " MiB in "
         + rounded(seconds_of(elapsed)) + " s; all of it would take "
         + rounded(whole_seconds(done, elapsed)) + " s, "
         + rounded(seconds_of(allowed_)) + " s are allowed";
}

} // namespace forkfleet
