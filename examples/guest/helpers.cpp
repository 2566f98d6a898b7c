// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/helpers.hpp"

#include <algorithm>

namespace forkfleet::guest {

namespace {

using std::chrono::steady_clock;

constexpr auto rest = std::chrono::microseconds(500);
constexpr size_t sweep_slice = 32;

// What is owed after a long stop is not made up for.
constexpr uint64_t change_slice_max = 8192;

} // namespace

bool helpers::start_readers(const std::string& disk, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    auto reader = std::make_unique<numbered_disk>(found_);
    if (!reader->open(disk, 0x9e3779b97f4a7c15 * (i + 1)))
      return false;
    disks_.push_back(std::move(reader));
  }
  for (const auto& reader : disks_)
    threads_.emplace_back([this, mine = reader.get()] {
      while (true) {
        mine->check();
        ++reads_;
      }
    });
  return true;
}

void helpers::start_churn(std::span<std::byte> pages, uint64_t rate_mib) {
  pages_ = std::make_unique<churned_pages>(pages, found_);
  threads_.emplace_back([this, rate_mib] {
    auto last = steady_clock::now();
    while (true) {
      const auto now = steady_clock::now();
      const auto passed =
        std::chrono::duration_cast<std::chrono::microseconds>(now - last);
      const auto owed = (rate_mib << 20) / page_size
                        * static_cast<uint64_t>(passed.count()) / 1000000;
      if (owed > 0)
        last = now;
      pages_->change(std::min(owed, change_slice_max));
      pages_->sweep(sweep_slice);
      changes_ = pages_->changes();
      sweeps_ = pages_->sweeps();
      std::this_thread::sleep_for(rest);
    }
  });
}

} // namespace forkfleet::guest
