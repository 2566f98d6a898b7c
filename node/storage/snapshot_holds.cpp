// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_holds.hpp"

namespace forkfleet {

snapshot_hold snapshot_holds::hold(std::vector<snapshot_tag> tags) {
  const std::lock_guard lock{mutex_};
  for (const auto& tag : tags)
    ++held_[tag].holds;
  auto release = [self = shared_from_this(), tags](const void*) {
    self->release(tags);
  };
  return {static_cast<const void*>(this), std::move(release)};
}

bool snapshot_holds::is_held(const snapshot_tag& tag) const {
  const std::lock_guard lock{mutex_};
  return held_.count(tag) != 0;
}

void snapshot_holds::when_free(const snapshot_tag& tag,
                               std::function<void()> action) {
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = held_.find(tag); found != held_.end()) {
      found->second.actions.push_back(std::move(action));
      return;
    }
  }
  action();
}

void snapshot_holds::release(const std::vector<snapshot_tag>& tags) {
  std::vector<std::function<void()>> due;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& tag : tags) {
      const auto found = held_.find(tag);
      if (found == held_.end() || --found->second.holds > 0)
        continue;
      for (auto& action : found->second.actions)
        due.push_back(std::move(action));
      held_.erase(found);
    }
  }
  for (const auto& action : due)
    action();
}

} // namespace forkfleet
