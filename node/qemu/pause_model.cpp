// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/pause_model.hpp"

#include <algorithm>

namespace forkfleet::qemu {

namespace {

constexpr uint64_t second = 1'000'000; // in microseconds

// Copies below this tell more of the clock than of the memory.
constexpr uint64_t copy_bytes_min = 256u << 10;

// So little is copied faster than another pass is made.
constexpr uint64_t found_bytes_small = 256u << 10;

// The order to stop takes its time, too, in which the guest writes on.
constexpr auto stop_time = std::chrono::microseconds{300};

constexpr uint64_t passes_unasked_max = 6;

// Pauses that the floor is the median of.
constexpr std::size_t floors_max = 9;
constexpr uint64_t passes_max = 64;

template <class T>
T smoothed(T before, T now) {
  return (before * 3 + now) / 4;
}

} // namespace

void pause_model::begin() {
  passes_ = 0;
  found_ = 0;
  found_before_ = 0;
}

void pause_model::pass_ended(uint64_t found_bytes, microseconds interval) {
  ++passes_;
  found_before_ = found_;
  found_ = found_bytes;
  if (interval.count() > 0)
    dirty_bytes_per_second_ =
      found_bytes * second / static_cast<uint64_t>(interval.count());
}

void pause_model::scanned(microseconds took) {
  scan_ = smoothed(scan_, took);
}

void pause_model::copied(uint64_t bytes, microseconds took) {
  if (bytes >= copy_bytes_min && took.count() > 0)
    copy_bytes_per_second_ =
      smoothed(copy_bytes_per_second_,
               bytes * second / static_cast<uint64_t>(took.count()));
}

void pause_model::paused(microseconds pause, uint64_t residual_bytes) {
  const auto rest = pause - scan_ - copy_time(residual_bytes);
  floors_.push_back(std::max(rest, microseconds{0}));
  if (floors_.size() > floors_max)
    floors_.pop_front();
}

pause_model::microseconds pause_model::floor() const {
  if (floors_.empty())
    return assumed_floor_;
  auto all = floors_;
  const auto middle = all.begin() + static_cast<int64_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  return *middle;
}

pause_model::microseconds pause_model::copy_time(uint64_t bytes) const {
  return microseconds{static_cast<int64_t>(
    bytes * second / std::max<uint64_t>(copy_bytes_per_second_, 1))};
}

// What is written while the last round before the stop scans and copies. As
// long as the guest writes more slowly than we copy, that shrinks to this.
uint64_t pause_model::residual_bytes() const {
  const auto rate = dirty_bytes_per_second_;
  if (rate * 10 >= copy_bytes_per_second_ * 8)
    return found_;
  const auto time = static_cast<uint64_t>((scan_ + stop_time).count());
  const auto slowed = copy_bytes_per_second_ / (copy_bytes_per_second_ - rate);
  return std::min(found_, rate * time / second * slowed);
}

capture_forecast pause_model::forecast() const {
  const auto residual = residual_bytes();
  return {.pause = floor() + scan_ + copy_time(residual),
          .residual_bytes = residual,
          .dirty_bytes_per_second = dirty_bytes_per_second_,
          .passes = passes_,
          .can_refine = passes_ < passes_max
                        && (passes_ < 2 || found_ * 10 < found_before_ * 9),
          .converges = !is_outrun()};
}

bool pause_model::rests_on_pauses() const {
  return !floors_.empty() && floor() * 2 > forecast().pause;
}

// The guest writes about as fast as memory is copied: the passes do not shrink
// what is left.
bool pause_model::is_outrun() const {
  return passes_ >= 2 && found_ > found_bytes_small
         && dirty_bytes_per_second_ * 10 >= copy_bytes_per_second_ * 8
         && found_ * 10 >= found_before_ * 7;
}

bool pause_model::is_settled() const {
  if (passes_ < 2)
    return false;
  return found_ <= found_bytes_small || passes_ >= passes_unasked_max
         || found_ * 10 >= found_before_ * 7;
}

} // namespace forkfleet::qemu
