// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/machine.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

const simulated_machine::time_point start{};

simulated_machine_ptr make_machine() {
  return std::make_shared<simulated_machine>(boot_guest(1 << 20), 1, start);
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
