// SPDX-License-Identifier: Apache-2.0
// A limit in time on what a connection does next.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "actors/link/asio.hpp"

namespace forkfleet {

/// Used on the guard's thread alone. Whoever arms it keeps it alive by what
/// `then` captures.
class deadline {
public:
  explicit deadline(asio::io_context& io) : timer_(io) {}

  /// Calls `then` after `limit`, unless it is armed again or disarmed first.
  template <class Then>
  void arm(std::chrono::milliseconds limit, Then then) {
    const auto mine = ++generation_;
    timer_.expires_after(limit);
    timer_.async_wait([this, mine, then = std::move(then)](error_code x) {
      if (!x && mine == generation_)
        then();
    });
  }

  void disarm() {
    ++generation_;
    timer_.cancel();
  }

private:
  asio::steady_timer timer_;
  // A timer that has fired can no longer be cancelled; its call then belongs
  // to an older generation.
  uint64_t generation_ = 0;
};

} // namespace forkfleet
