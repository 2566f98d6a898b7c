// SPDX-License-Identifier: Apache-2.0
// The word between who cancels a branch and the worker that takes it. Whoever
// comes first decides: a branch that has passed its last check is not
// cancelled any more. Knows no CAF.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace forkfleet {

/// Shared by the NODE and one SNAPSHOT WORKER. Thread-safe.
class branch_cancel {
public:
  /// Asks the branch to end; false when it is too late. Repeated asking gets
  /// the same answer.
  bool ask();

  bool is_asked() const;

  /// The branch is about to become visible; false when it was asked to end
  /// before. Afterwards `ask` comes too late.
  bool pass();

  /// Returns at `until`, or as soon as the branch is asked to end.
  void wait_until(std::chrono::steady_clock::time_point until);

private:
  enum class word : uint8_t { open, asked, passed };

  mutable std::mutex mutex_;
  std::condition_variable asked_;
  word word_ = word::open;
};

using branch_cancel_ptr = std::shared_ptr<branch_cancel>;

} // namespace forkfleet
