// SPDX-License-Identifier: Apache-2.0
// Pure: whether a guest may be paused now, given what the pause is expected
// to come to and what is allowed. It is asked anew after each delay and each
// pass, and comes to an end: both are bounded in number and in time.
#pragma once

#include <string>

#include "node/vmm.hpp"

namespace forkfleet {

/// What is to be done next.
enum class budget_step : uint8_t {
  go,     // pause now
  refine, // copy once more what changed
  wait,   // for `delay`, then refine
  change, // take another method
  refuse, // pause_too_long
};

struct budget_advice {
  budget_step step = budget_step::go;
  microseconds delay{0};
};

struct budget_limits {
  /// The pause that is allowed; 0: any.
  microseconds pause{0};
  /// How long the pause is put off at most.
  microseconds delay{std::chrono::seconds{2}};
  /// How many passes and waits there are at most.
  uint64_t tries = 24;
  /// Whether data that is not yet on the disk lengthens the pause.
  bool touches_storage = false;
  /// Whether there is another method to take.
  bool has_alternative = false;
  /// The pause that nothing may exceed: the guest is resumed then, and the
  /// branch fails. 0: any.
  microseconds longest{0};
};

class pause_budget {
public:
  explicit pause_budget(budget_limits limits) : limits_{limits} {}

  /// What to do with this forecast, when the pause was put off for `delayed`
  /// so far and `unwritten_bytes` are not yet on the disk.
  budget_advice weigh(const capture_forecast& forecast,
                      uint64_t unwritten_bytes, microseconds delayed);

  /// The pause by the last forecast, with what unwritten data adds to it.
  microseconds predicted() const { return predicted_; }

  /// pause_too_long: prediction, what it rests on, budget, what the guest
  /// writes, and what helps.
  failure refusal() const;

  /// What the report should say of a pause that may begin: that it rests on an
  /// assumption, that it is over its budget to be measured anew, or that the
  /// guest outran the passes. Empty: nothing.
  std::string warning() const;

private:
  microseconds allowed() const;
  budget_advice put_off(const capture_forecast& forecast,
                        microseconds delayed) const;

  budget_limits limits_;
  uint64_t tries_ = 0;
  microseconds predicted_{0};
  microseconds for_storage_{0}; // of these
  capture_forecast last_ = {};
};

/// What `bytes` that are not yet on the disk add to a pause that waits for
/// the disk.
microseconds storage_wait(uint64_t unwritten_bytes);

} // namespace forkfleet
