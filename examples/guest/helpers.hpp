// SPDX-License-Identifier: Apache-2.0
// What the example guest does on other threads than its counter's: reads a
// numbered disk, and churns pages. On a VM with two processors both write
// memory at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "examples/guest/churned_pages.hpp"
#include "examples/guest/numbered_disk.hpp"
#include "examples/guest/settings.hpp"

namespace forkfleet::guest {

/// Threads that run from `start_*` to the end of the guest.
class helpers {
public:
  explicit helpers(findings& found) : found_(found) {}

  /// Starts `count` readers of the disk. False with errno when it cannot be
  /// used.
  bool start_readers(const std::string& disk, uint64_t count);

  /// Starts to churn this memory at `rate_mib` MiB a second.
  void start_churn(std::span<std::byte> pages, uint64_t rate_mib);

  /// How often a piece of the disk was compared, by all readers.
  uint64_t reads() const { return reads_; }
  /// How often all churned pages were compared.
  uint64_t sweeps() const { return sweeps_; }
  uint64_t changes() const { return changes_; }

private:
  findings& found_;
  std::vector<std::unique_ptr<numbered_disk>> disks_ = {};
  std::unique_ptr<churned_pages> pages_ = {};
  std::vector<std::thread> threads_ = {};
  std::atomic<uint64_t> reads_ = 0;
  std::atomic<uint64_t> sweeps_ = 0;
  std::atomic<uint64_t> changes_ = 0;
};

} // namespace forkfleet::guest
