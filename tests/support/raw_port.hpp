// SPDX-License-Identifier: Apache-2.0
// A listening port of loopback that is no coordinator's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "actors/link/owned_fd.hpp"

namespace forkfleet::test {

/// Accepts connections, says `greeting` to each, and then nothing.
class raw_port {
public:
  explicit raw_port(std::string greeting = {});
  ~raw_port();
  raw_port(const raw_port&) = delete;
  raw_port& operator=(const raw_port&) = delete;

  uint16_t number() const { return number_; }

  /// Whether somebody connects, or has, within so long.
  bool wait_for_guest(std::chrono::milliseconds limit) const;

private:
  owned_fd socket_;
  uint16_t number_ = 0;
  std::atomic<bool> is_over_{false};
  std::atomic<bool> had_guest_{false};
  std::thread thread_;
};

} // namespace forkfleet::test
