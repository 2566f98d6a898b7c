// SPDX-License-Identifier: Apache-2.0
#include "node/storage/write_debt.hpp"

#include <algorithm>

namespace forkfleet {

void write_debt::add(uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  bytes_ += bytes;
}

void write_debt::pay(uint64_t bytes) {
  {
    const std::lock_guard lock{mutex_};
    bytes_ -= std::min(bytes_, bytes);
  }
  paid_.notify_all();
}

uint64_t write_debt::bytes() const {
  const std::lock_guard lock{mutex_};
  return bytes_;
}

bool write_debt::wait_for_at_most(uint64_t bytes_max,
                                  std::chrono::steady_clock::time_point until) {
  std::unique_lock lock{mutex_};
  return paid_.wait_until(lock, until, [&] { return bytes_ <= bytes_max; });
}

void debt_share::add(uint64_t bytes) {
  if (debt_)
    debt_->add(bytes);
  bytes_ += bytes;
}

void debt_share::pay(uint64_t bytes) {
  bytes = std::min(bytes, bytes_);
  if (debt_ && bytes != 0)
    debt_->pay(bytes);
  bytes_ -= bytes;
}

} // namespace forkfleet
