// SPDX-License-Identifier: Apache-2.0
// Limits how fast one block device can be written, by the control groups of
// version 1 (blkio) or 2 (io.max), whichever is found. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>

#include "node/bench/kernel_settings.hpp"

namespace forkfleet::bench {

/// The limit of one device. Gone when it is destroyed.
class device_throttle {
public:
  /// Finds the way. unsupported when there is none. `device` is a number such
  /// as "7:3"; both outlive the throttle.
  static expected<device_throttle> find(kernel_settings& settings,
                                        std::string device);
  device_throttle(device_throttle&& other) noexcept;
  device_throttle& operator=(device_throttle&&) = delete;
  ~device_throttle();

  /// Writes go at most this fast from now on; 0 lifts the limit.
  status set(uint64_t bytes_per_second);

  /// "blkio, cgroup v1" or "io.max, cgroup v2".
  std::string kind() const;

private:
  device_throttle(kernel_settings& settings, std::string device,
                  std::string file, std::string home)
    : settings_(&settings), device_(std::move(device)), file_(std::move(file)),
      home_(std::move(home)) {}

  bool is_first() const { return home_.empty(); }
  std::string words(uint64_t bytes_per_second) const;

  kernel_settings* settings_;
  std::string device_;
  std::string file_; // takes the limit
  std::string home_; // of version 2: the group that we came from
  bool is_noted_ = false;
};

} // namespace forkfleet::bench
