// SPDX-License-Identifier: Apache-2.0
// Pure: whether a copy that is under way will be done in its time, so that who
// waits for it is told early, and not at the end of a deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace forkfleet {

class copy_pace {
public:
  using microseconds = std::chrono::microseconds;

  /// A copy of that many bytes, which may take so long.
  copy_pace(uint64_t bytes, microseconds allowed)
    : bytes_{bytes}, allowed_{allowed} {}

  /// Whether it is clear by now: a good part of the time has passed, and the
  /// whole would take much longer than allowed at the pace so far.
  bool is_too_slow(uint64_t done, microseconds elapsed) const;

  /// "12 of 256 MiB in 20 s; all of it would take 427 s, 60 s are allowed".
  std::string text(uint64_t done, microseconds elapsed) const;

private:
  double whole_seconds(uint64_t done, microseconds elapsed) const;

  uint64_t bytes_;
  microseconds allowed_;
};

} // namespace forkfleet
