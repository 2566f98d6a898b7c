// SPDX-License-Identifier: Apache-2.0
#include "node/pause_gate.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

constexpr std::chrono::steady_clock::time_point past{};

} // namespace

TEST_CASE("a gate is clear when nobody stands", "[node][pause_gate]") {
  pause_gate gate;
  CHECK(gate.wait_until_clear(past));
  {
    const pause_mark first{&gate};
    const pause_mark second{&gate};
    CHECK_FALSE(gate.wait_until_clear(past));
  }
  CHECK(gate.wait_until_clear(past));
  const pause_mark none{nullptr};
}

TEST_CASE("who waits at a gate goes on when the last guest runs",
          "[node][pause_gate][threads]") {
  pause_gate gate;
  gate.enter();
  gate.enter();
  bool is_clear = false;
  std::jthread waiter{[&] {
    is_clear = gate.wait_until_clear(std::chrono::steady_clock::now()
                                     + std::chrono::minutes{1});
  }};
  gate.leave();
  CHECK_FALSE(gate.wait_until_clear(past));
  gate.leave();
  waiter.join();
  CHECK(is_clear);
}
