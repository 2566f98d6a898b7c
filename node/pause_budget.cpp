// SPDX-License-Identifier: Apache-2.0
#include "node/pause_budget.hpp"

#include <algorithm>

namespace forkfleet {

namespace {

/// A sync waits behind what is queued at the device: at most so much, written
/// at the pace of a modest disk, for its data and for its journal.
constexpr uint64_t device_queue_bytes = 80ull << 20;
constexpr uint64_t disk_bytes_per_second = 150'000'000;
constexpr uint64_t waits_per_sync = 2;

/// The first wait for a quieter guest; each is twice the one before.
constexpr auto first_delay = microseconds{10'000};
constexpr uint64_t doublings_max = 5;

constexpr uint64_t mib = 1ull << 20;

std::string in_milliseconds(microseconds x) {
  const auto tenths = (x.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10)
         + " ms";
}

std::string pace(const capture_forecast& x) {
  return "the guest changes "
         + std::to_string((x.dirty_bytes_per_second + mib / 2) / mib)
         + " MiB/s";
}

} // namespace

microseconds storage_wait(uint64_t unwritten_bytes) {
  const auto queued = std::min(unwritten_bytes, device_queue_bytes);
  return microseconds{static_cast<int64_t>(waits_per_sync * queued * 1'000'000
                                           / disk_bytes_per_second)};
}

budget_advice pause_budget::weigh(const capture_forecast& forecast,
                                  uint64_t unwritten_bytes,
                                  microseconds delayed) {
  for_storage_ =
    limits_.touches_storage ? storage_wait(unwritten_bytes) : microseconds{0};
  predicted_ = forecast.pause + for_storage_;
  last_ = forecast;
  if (allowed().count() == 0 || predicted_ <= allowed())
    return {};
  // What is never tried is never measured again.
  if (forecast.is_due)
    return {};
  if (tries_ < limits_.tries && delayed < limits_.delay) {
    const auto advice = put_off(forecast, delayed);
    if (advice.step != budget_step::refuse) {
      ++tries_;
      return advice;
    }
  }
  return {.step = limits_.has_alternative ? budget_step::change
                                          : budget_step::refuse};
}

/// What is allowed: the budget, and without one the longest pause there is,
/// where the prediction is more than an assumption.
microseconds pause_budget::allowed() const {
  if (limits_.pause.count() > 0 || last_.is_assumed)
    return limits_.pause;
  return limits_.longest;
}

/// What may make the pause shorter; refuse when nothing may.
budget_advice pause_budget::put_off(const capture_forecast& forecast,
                                    microseconds delayed) const {
  const auto left = limits_.delay - delayed;
  // The disk catches up by itself.
  if (for_storage_.count() > 0 && forecast.pause <= allowed())
    return {.step = budget_step::wait,
            .delay = std::min({left, for_storage_, first_delay * 8})};
  if (!forecast.can_refine)
    return {.step = budget_step::refuse};
  // Two passes in a row shrink what can be shrunk; then the guest must
  // become quieter.
  if (tries_ < 2)
    return {.step = budget_step::refine};
  const auto doublings = std::min(tries_ - 2, doublings_max);
  return {.step = budget_step::wait,
          .delay = std::min(left, first_delay * (int64_t{1} << doublings))};
}

failure pause_budget::refusal() const {
  auto text = "the pause would be " + in_milliseconds(predicted_) + ", "
              + in_milliseconds(allowed()) + " are allowed";
  if (last_.dirty_bytes_per_second > 0)
    text += "; " + pace(last_);
  if (!last_.basis.empty())
    text += "; this rests on " + last_.basis;
  if (last_.is_assumed)
    text += ": a branch without --max-pause measures it";
  if (for_storage_.count() > 0)
    text += "; " + in_milliseconds(for_storage_)
            + " of it for data that is not yet on the disk";
  return {ec::pause_too_long, text};
}

std::string pause_budget::warning() const {
  const bool is_over = limits_.pause.count() > 0 && predicted_ > limits_.pause;
  if (is_over)
    return "the pause was predicted to be " + in_milliseconds(predicted_)
           + ", over its budget of " + in_milliseconds(limits_.pause)
           + "; it was taken to measure it anew, as this prediction had "
             "refused the branches before";
  if (limits_.pause.count() > 0 && last_.is_assumed)
    return "the predicted pause rests on " + last_.basis;
  if (!last_.converges)
    return pace(last_) + ", about as fast as its memory is copied: "
           + std::to_string((last_.residual_bytes + mib / 2) / mib)
           + " MiB were left to copy while it stood";
  return {};
}

} // namespace forkfleet
