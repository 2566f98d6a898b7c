// SPDX-License-Identifier: Apache-2.0
// How many guests of this node stand still right now. Who writes to the disk
// in the background stands still as long as one does. Knows no CAF.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace forkfleet {

/// Counts pause windows. Thread-safe; neither entering nor leaving waits for
/// anybody who writes.
class pause_gate {
public:
  /// A guest is about to stand still, and runs again.
  void enter();
  void leave();

  /// Returns when no guest stands still; false when `until` passed first.
  bool wait_until_clear(std::chrono::steady_clock::time_point until);

private:
  std::mutex mutex_;
  std::condition_variable cleared_;
  int standing_ = 0;
};

using pause_gate_ptr = std::shared_ptr<pause_gate>;

/// Keeps a gate closed as long as it lives.
class pause_mark {
public:
  explicit pause_mark(pause_gate* gate) : gate_{gate} {
    if (gate_)
      gate_->enter();
  }
  ~pause_mark() {
    if (gate_)
      gate_->leave();
  }
  pause_mark(const pause_mark&) = delete;
  pause_mark& operator=(const pause_mark&) = delete;

private:
  pause_gate* gate_;
};

} // namespace forkfleet
