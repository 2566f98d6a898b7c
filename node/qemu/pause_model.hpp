// SPDX-License-Identifier: Apache-2.0
// Foretells the next pause of one VM from what its passes and its earlier
// pauses took. Pure: it is told all times.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// What was measured of one VM; lives as long as the VM is known.
class pause_model {
public:
  using microseconds = std::chrono::microseconds;

  /// A capture begins: its passes are counted anew.
  void begin();

  /// A pass ended that found and copied so much; `interval` is the time since
  /// the scan before, 0 for the first.
  void pass_ended(uint64_t found_bytes, microseconds interval);

  /// How long a scan took, and a copy into memory.
  void scanned(microseconds took);
  void copied(uint64_t bytes, microseconds took);

  /// A pause ended, in which so much was copied.
  void paused(microseconds pause, uint64_t residual_bytes);

  /// What stop, device state and resume take, as long as this VM has had no
  /// pause of its own.
  void assume_floor(microseconds floor) { assumed_floor_ = floor; }

  /// What a pause would be now.
  capture_forecast forecast() const;

  /// Whether the forecast is mostly what earlier pauses took, and not what was
  /// measured of this capture.
  bool rests_on_pauses() const;

  /// Whether another pass is worth its time when nobody asks for more than
  /// the shortest pause without long waits.
  bool is_settled() const;

private:
  uint64_t residual_bytes() const;
  bool is_outrun() const;
  microseconds copy_time(uint64_t bytes) const;

  /// Stop, device state and resume: the median of the newest pauses, so that
  /// one that the host disturbed does not count.
  microseconds floor() const;

  microseconds assumed_floor_{1000};
  std::deque<microseconds> floors_ = {};
  microseconds scan_{300};
  uint64_t copy_bytes_per_second_ = 2ull << 30;
  uint64_t dirty_bytes_per_second_ = 0;
  uint64_t passes_ = 0;
  uint64_t found_ = 0;        // by the last pass
  uint64_t found_before_ = 0; // by the one before
};

} // namespace forkfleet::qemu
