// SPDX-License-Identifier: Apache-2.0
// A file system on a device of known bandwidth, the same on every machine:
// a loop device over a throttled loop device over memory. Everything is
// undone when it is destroyed, and by the kernel when the process is killed.
// Knows no CAF.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "node/bench/device_throttle.hpp"
#include "node/bench/kernel_settings.hpp"
#include "node/bench/loop_device.hpp"

namespace forkfleet::bench {

/// Where a run notes what it must put back.
inline constexpr const char* rig_record = "/run/forkfleet-bench";

/// What the device is to be.
struct rig_plan {
  std::string file_system = "ext4"; // or xfs, btrfs
  uint64_t disk_bytes = 7ull << 30;
  uint64_t memory_disk_bytes = 3ull << 30; // the tmpfs beside it
  uint64_t bytes_per_second = 150'000'000;
  /// vm.dirty_background_bytes, so that it does not depend on free memory.
  uint64_t dirty_background_bytes = 1ull << 30;
  /// So much is written to see that the limit holds; 0: it is not looked at.
  uint64_t probe_bytes = 450'000'000;
  double tolerance = 0.05;
};

/// What was found, for the report.
struct rig_facts {
  std::string device = {};  // "loop1 on loop0 on tmpfs, mq-deadline, 64"
  std::string limit = {};   // "blkio, cgroup v1"
  std::string options = {}; // the mount options
  uint64_t achieved_bytes_per_second = 0;
};

/// The device and its mounts, which no other process sees. Make it on the
/// main thread, before any other thread.
class rig {
public:
  /// not_permitted unless root; unsupported names what this machine lacks.
  /// What a killed run left is put back first.
  static expected<std::unique_ptr<rig>> make(const rig_plan& plan);
  ~rig();
  rig(const rig&) = delete;
  rig& operator=(const rig&) = delete;

  /// A directory on the throttled device, and one in memory.
  const std::string& disk() const { return disk_; }
  const std::string& memory() const { return memory_; }
  const rig_facts& facts() const { return facts_; }

  /// Sets or lifts the limit.
  status throttle(bool on);

  /// Lifts the limit, brings all that is unwritten to the device, sets the
  /// limit again: each chain begins the same.
  status settle();

private:
  explicit rig(rig_plan plan, kernel_settings settings)
    : plan_(std::move(plan)), settings_(std::move(settings)) {}

  status make_devices();
  status tune_device(const std::string& name);
  status make_file_system();
  status check_bandwidth();
  void undo() noexcept;

  rig_plan plan_;
  kernel_settings settings_; // the last to be put back
  std::string home_ = {};    // the mount points
  std::string disk_ = {};
  std::string memory_ = {};
  std::optional<loop_device> lower_ = {};
  std::optional<loop_device> upper_ = {};
  std::optional<device_throttle> throttle_ = {};
  rig_facts facts_ = {};
};

} // namespace forkfleet::bench
