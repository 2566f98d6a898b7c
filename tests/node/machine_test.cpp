// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/machine.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

const simulated_machine::time_point start{};

simulated_machine_ptr make_machine() {
  return simulated_machine::boot(1 << 20, 1, {}, start).value();
}

} // namespace

TEST_CASE("a guest counts while it runs, and not a tick longer",
          "[node][machine]") {
  const auto machine = make_machine();
  CHECK(machine->pause(start + 10ms));
  CHECK(machine->image(start + 90ms).tick == 10);
  CHECK(machine->resume(start + 90ms));
  CHECK(machine->image(start + 95ms).tick == 15);
  CHECK(machine->pauses() == 1);
}

TEST_CASE("a paused guest that is paused again was paused once",
          "[node][machine]") {
  const auto machine = make_machine();
  CHECK(machine->pause(start));
  CHECK(machine->pause(start));
  CHECK(machine->pauses() == 1);
}

TEST_CASE("a guest that is stuck or gone does not run again",
          "[node][machine]") {
  const auto machine = make_machine();
  machine->stick(start);
  CHECK_FALSE(machine->resume(start + 1s));
  CHECK(machine->health() == vmm_health::stuck);
  machine->end();
  CHECK_FALSE(machine->pause(start + 1s));
  machine->stick(start);
  CHECK(machine->health() == vmm_health::gone);
}

TEST_CASE("a host has one VM of a name", "[node][machine]") {
  auto host = simulated_host{};
  CHECK(host.add({"s1"}, make_machine()));
  CHECK_FALSE(host.add({"s1"}, make_machine()));
  host.end_all();
  CHECK_FALSE(host.find({"s1"}));
  CHECK(host.add({"s1"}, make_machine()));
  CHECK(host.find({"s1"}));
}

TEST_CASE("a guest writes the pages that it says it has written",
          "[node][machine]") {
  const auto machine = make_machine();
  auto written = machine->take_written(start + 3ms).ranges();
  CHECK(written == std::vector<memory_range>{{0, 4 * guest_page_bytes}});
  written = machine->take_written(start + 4ms).ranges();
  REQUIRE(written.size() == 2);
  CHECK(written[1].begin == 4 * guest_page_bytes);
  auto page = std::vector<uint8_t>(guest_page_bytes);
  machine->read(written[1], page, start + 4ms);
  CHECK(read_stamp(page, 4) == 4u);
  CHECK(machine->written_pages(start + 4ms) == 0);
}

TEST_CASE("a guest's habits can be changed, and it can be made to write",
          "[node][machine]") {
  const auto machine = make_machine();
  machine->set_writes_per_second(0, start + 5ms);
  CHECK(machine->image(start + 1s).tick == 5);
  machine->write(10, start + 1s);
  CHECK(machine->image(start + 2s).tick == 15);
  machine->set_writes_per_second(100000, start + 2s);
  CHECK(machine->image(start + 2s + 1ms).tick == 115);
}

TEST_CASE("a guest that stands does not write", "[node][machine][safety]") {
  const auto machine = make_machine();
  REQUIRE(machine->pause(start));
  machine->write(10, start + 1s);
  CHECK(machine->take_written(start + 1s).count() == 0);
}
