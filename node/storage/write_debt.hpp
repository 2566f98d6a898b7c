// SPDX-License-Identifier: Apache-2.0
// How much of the snapshots was written and is not yet on the disk. A pause
// that meets too much of it is longer than it need be. Knows no CAF.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

namespace forkfleet {

/// The sum over all files in the making. Thread-safe.
class write_debt {
public:
  void add(uint64_t bytes);
  void pay(uint64_t bytes);
  uint64_t bytes() const;

  /// Returns when at most `bytes_max` are unwritten; false when `until` passed
  /// first.
  bool wait_for_at_most(uint64_t bytes_max,
                        std::chrono::steady_clock::time_point until);

private:
  mutable std::mutex mutex_;
  std::condition_variable paid_;
  uint64_t bytes_ = 0;
};

/// What one file owes. Paid when it is synced, and when it is given up: its
/// pages go with it. Used by one thread at a time.
class debt_share {
public:
  /// Counts for nobody when there is no `debt`.
  explicit debt_share(std::shared_ptr<write_debt> debt = {})
    : debt_{std::move(debt)} {}
  debt_share(const debt_share&) = delete;
  ~debt_share() { pay_all(); }

  void add(uint64_t bytes);
  void pay(uint64_t bytes);
  void pay_all() { pay(bytes_); }

private:
  std::shared_ptr<write_debt> debt_;
  uint64_t bytes_ = 0;
};

} // namespace forkfleet
