// SPDX-License-Identifier: Apache-2.0
// The snapshots of which a child was seen to live. Knows no CAF.
#pragma once

#include <deque>
#include <mutex>
#include <string>

namespace forkfleet::firecracker {

/// By their root hashes; forgets the oldest. Thread-safe.
class proven_snapshots {
public:
  static constexpr std::size_t count_max = 1024;

  bool has(const std::string& root_hash) const;
  void add(const std::string& root_hash);

private:
  mutable std::mutex mutex_;
  std::deque<std::string> known_ = {};
};

} // namespace forkfleet::firecracker
