// SPDX-License-Identifier: Apache-2.0
// Which snapshots are in use right now: their files stay in place as long as
// somebody holds them. Knows no CAF.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/ids.hpp"

namespace forkfleet {

/// Keeps what it was made for in place as long as it lives.
using snapshot_hold = std::shared_ptr<const void>;

/// Counts the holds of each tag. Thread-safe.
class snapshot_holds : public std::enable_shared_from_this<snapshot_holds> {
public:
  /// Holds all of these until the last copy of the result is gone.
  snapshot_hold hold(std::vector<snapshot_tag> tags);

  bool is_held(const snapshot_tag& tag) const;

  /// Runs `action` when nobody holds the tag any more, or at once. Nothing
  /// may fail in it; one that was not run when the process ends is found by
  /// the next start.
  void when_free(const snapshot_tag& tag, std::function<void()> action);

private:
  struct entry {
    int holds = 0;
    std::vector<std::function<void()>> actions = {};
  };

  void release(const std::vector<snapshot_tag>& tags);

  mutable std::mutex mutex_;
  std::map<snapshot_tag, entry> held_;
};

} // namespace forkfleet
