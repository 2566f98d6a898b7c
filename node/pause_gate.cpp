// SPDX-License-Identifier: Apache-2.0
#include "node/pause_gate.hpp"

namespace forkfleet {

void pause_gate::enter() {
  const auto lock = std::lock_guard{mutex_};
  ++standing_;
}

void pause_gate::leave() {
  {
    const auto lock = std::lock_guard{mutex_};
    --standing_;
  }
  cleared_.notify_all();
}

bool pause_gate::wait_until_clear(std::chrono::steady_clock::time_point until) {
  auto lock = std::unique_lock{mutex_};
  return cleared_.wait_until(lock, until, [this] { return standing_ == 0; });
}

} // namespace forkfleet
