// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_vmm.hpp"

#include "tests/node/simulated_vmm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE_METHOD(vmm_fixture, "a branch is of the instant of its pause",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  now += 700ms;
  REQUIRE(run_to(*vm, stage::resume));
  now += 300ms;
  const auto result = vm->drain(soon());
  REQUIRE(result);
  CHECK(result->memory_bytes == 1 << 20);
  const auto guest = read_guest(path(memory), path(vmstate));
  REQUIRE(guest);
  CHECK(guest->tick == 700);
  CHECK(host->find({"s1"})->image(now).tick > 1000);
}

TEST_CASE_METHOD(vmm_fixture, "a torn capture would be seen",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  now += 700ms;
  REQUIRE(run_to(*vm, stage::resume));
  now += 30ms;
  faults->add(stage::drain, {simulated_trouble::tear});
  REQUIRE(vm->drain(soon()));
  CHECK(read_guest(path(memory), path(vmstate)).error().code
        == ec::snapshot_corrupt);
}

TEST_CASE_METHOD(vmm_fixture, "the guest stands still from pause to resume",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  REQUIRE(run_to(*vm, stage::pause));
  CHECK(vm->health(soon()) == vmm_health::paused);
  const auto tick = host->find({"s1"})->image(now).tick;
  now += 1s;
  CHECK(host->find({"s1"})->image(now).tick == tick);
  REQUIRE(vm->resume(soon()));
  CHECK(vm->health(soon()) == vmm_health::running);
  CHECK(host->find({"s1"})->pauses() == 1);
}

TEST_CASE_METHOD(vmm_fixture, "a lost answer hides what the VM did",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  faults->add(stage::pause, {simulated_trouble::lose_answer});
  const auto lost = run_to(*vm, stage::pause);
  CHECK(lost.error().code == ec::vmm_unreachable);
  CHECK(vm->health(soon()) == vmm_health::paused);
}

TEST_CASE_METHOD(vmm_fixture, "a refused stage is not done, and once only",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  faults->add(stage::pause, {simulated_trouble::refuse, ec::io_failed});
  CHECK(run_to(*vm, stage::pause).error().code == ec::io_failed);
  CHECK(vm->health(soon()) == vmm_health::running);
  CHECK(run_to(*vm, stage::pause));
}

TEST_CASE_METHOD(vmm_fixture, "a guest that does not run again is told stuck",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  const auto trouble =
    GENERATE(simulated_trouble::refuse, simulated_trouble::stick);
  faults->add(stage::resume, {trouble});
  CHECK(run_to(*vm, stage::resume).error().code == ec::guest_stuck);
}

TEST_CASE_METHOD(vmm_fixture, "a slow stage ends at its deadline",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  faults->takes(stage::pause, 5s);
  const auto before = now;
  CHECK(vm->pause(now + 1s).error().code == ec::deadline_exceeded);
  CHECK(now == before + 1s);
  CHECK(vm->health(soon()) == vmm_health::paused);
}

TEST_CASE_METHOD(vmm_fixture, "nothing is drained that was not captured",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  CHECK(vm->drain(soon()).error().code == ec::vmm_refused);
  REQUIRE(run_to(*vm, stage::resume));
  vm->abandon();
  CHECK(vm->drain(soon()).error().code == ec::vmm_refused);
  CHECK(vm->capture(soon()).error().code == ec::vmm_refused);
}
