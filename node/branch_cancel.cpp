// SPDX-License-Identifier: Apache-2.0
#include "node/branch_cancel.hpp"

namespace forkfleet {

bool branch_cancel::ask() {
  const auto lock = std::lock_guard{mutex_};
  if (word_ == word::passed)
    return false;
  word_ = word::asked;
  asked_.notify_all();
  return true;
}

bool branch_cancel::is_asked() const {
  const auto lock = std::lock_guard{mutex_};
  return word_ == word::asked;
}

bool branch_cancel::pass() {
  const auto lock = std::lock_guard{mutex_};
  if (word_ == word::asked)
    return false;
  word_ = word::passed;
  return true;
}

void branch_cancel::wait_until(std::chrono::steady_clock::time_point until) {
  auto lock = std::unique_lock{mutex_};
  asked_.wait_until(lock, until, [this] { return word_ == word::asked; });
}

} // namespace forkfleet
