// SPDX-License-Identifier: Apache-2.0
#include "node/host_pauses.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("many VMs learn at once", "[node][host_pauses]") {
  auto pauses = host_pauses{};
  auto wrong = std::atomic{0};
  auto threads = std::vector<std::thread>{};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&pauses, &wrong, i] {
      const auto kind = pause_kind{.method = std::to_string(i)};
      for (int n = 0; n < 200; ++n) {
        pauses.learn(kind, {1 << 20, std::chrono::milliseconds{i + 1}});
        if (pauses.predict(kind, 1 << 20)->pause
            != std::chrono::milliseconds{i + 1})
          ++wrong;
      }
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(wrong == 0);
  CHECK_FALSE(pauses.predict({.method = "none"}, 1));
}
