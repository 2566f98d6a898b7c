// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest_writer.hpp"

#include <poll.h>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("a guest's pages are written while nobody asks",
          "[node][guest_writer]") {
  const auto start = std::chrono::steady_clock::now();
  const auto machine =
    simulated_machine::boot(1 << 20, 1, {.writes_per_second = 100000}, start)
      .value();
  auto writer = guest_writer{};
  writer.add(machine);
  // Asked for a time that has passed, a machine tells what was written.
  while (machine->written_pages(start) < 32
         && std::chrono::steady_clock::now() < start + 20s)
    ::poll(nullptr, 0, 1);
  CHECK(machine->written_pages(start) >= 32);
  machine->end();
}

TEST_CASE("a machine that nobody needs is let go", "[node][guest_writer]") {
  const auto now = std::chrono::steady_clock::now();
  auto writer = guest_writer{};
  auto machine = simulated_machine::boot(1 << 20, 1, {}, now).value();
  const auto watch = std::weak_ptr<simulated_machine>{machine};
  writer.add(machine);
  machine.reset();
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!watch.expired() && std::chrono::steady_clock::now() < until)
    ::poll(nullptr, 0, 1);
  CHECK(watch.expired());
}
