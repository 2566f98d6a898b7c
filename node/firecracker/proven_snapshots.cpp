// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/proven_snapshots.hpp"

#include <algorithm>

namespace forkfleet::firecracker {

bool proven_snapshots::has(const std::string& root_hash) const {
  const std::lock_guard lock{mutex_};
  return std::ranges::find(known_, root_hash) != known_.end();
}

void proven_snapshots::add(const std::string& root_hash) {
  const std::lock_guard lock{mutex_};
  if (std::ranges::find(known_, root_hash) != known_.end())
    return;
  known_.push_back(root_hash);
  if (known_.size() > count_max)
    known_.pop_front();
}

} // namespace forkfleet::firecracker
