// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/gap_meter.hpp"

#include <algorithm>

namespace forkfleet::guest {

namespace {

using std::chrono::nanoseconds;

// An edge that is known less well than this would add more than it tells:
// the gap is then seen at the next edge.
constexpr nanoseconds half_width_max = std::chrono::microseconds(500);

// Less than this is not told apart from a host that is late.
constexpr nanoseconds gap_min = std::chrono::microseconds(100);

// A clock that was set, rather than one that drifts.
constexpr nanoseconds drift_max = std::chrono::milliseconds(2);

} // namespace

void gap_meter::observe(const reading& x) {
  const auto last = last_reading_;
  last_reading_ = x;
  if (!last || last->host_seconds == x.host_seconds)
    return;
  seen_edge_.reset();
  if (x.host_seconds < last->host_seconds)
    last_edge_.reset();
  // After a leap nobody knows how far into its second the host is; the next
  // edge tells all that was lost since the last one.
  if (x.host_seconds != last->host_seconds + 1)
    return;
  const auto half_width = (x.after - last->before) / 2;
  seen_edge_ = {last->before + half_width, half_width, x.host_seconds};
  if (half_width <= half_width_max)
    take(*seen_edge_);
}

bool gap_meter::edge_is_near(nanoseconds now, nanoseconds slack) const {
  if (!seen_edge_)
    return true;
  const auto next = seen_edge_->at + std::chrono::seconds(1);
  return now + seen_edge_->half_width + slack >= next;
}

void gap_meter::take(const edge& x) {
  const auto last = last_edge_;
  last_edge_ = x;
  uncertainty_ = x.half_width;
  if (!last)
    return;
  const auto passed = x.host_seconds - last->host_seconds;
  const auto host = passed * nanoseconds(std::chrono::seconds(1));
  const auto surplus = (x.at - last->at) - host;
  seconds_ += static_cast<uint64_t>(passed);
  learn_drift(surplus / passed);
  const auto loss = passed * drift_ - surplus;
  if (loss < gap_min + x.half_width + last->half_width)
    return;
  ++gaps_;
  lost_ += loss;
  largest_ = std::max(largest_, loss);
}

void gap_meter::learn_drift(nanoseconds surplus) {
  surplus_[surplus_count_ % surplus_.size()] = surplus;
  ++surplus_count_;
  auto sorted = surplus_;
  const auto count = std::min(surplus_count_, surplus_.size());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(sorted.begin(), middle,
                   sorted.begin() + static_cast<std::ptrdiff_t>(count));
  drift_ =
    std::abs(middle->count()) <= drift_max.count() ? *middle : nanoseconds(0);
}

} // namespace forkfleet::guest
