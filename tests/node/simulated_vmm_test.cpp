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
  const auto guest = captured();
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
  CHECK(captured().error().code == ec::snapshot_corrupt);
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

TEST_CASE_METHOD(vmm_fixture, "a diff over its base is the guest as it stood",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  now += 700ms;
  CHECK(vm->tracked_since().empty());
  REQUIRE(take(*vm));
  seal(*vm, "r1");
  CHECK(vm->tracked_since() == "r1");
  for (int i = 2; i < 6; ++i) {
    now += 20ms;
    REQUIRE(take(*vm));
    const auto guest = captured();
    REQUIRE(guest);
    CHECK(guest->tick > 680u + 20u * static_cast<unsigned>(i - 1));
    CHECK(memory->pages() < 30);
    seal(*vm, "r" + std::to_string(i));
  }
}

TEST_CASE_METHOD(vmm_fixture, "what a failed capture took is in the next diff",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  now += 700ms;
  REQUIRE(take(*vm));
  seal(*vm, "r1");
  now += 20ms;
  const auto last = GENERATE(stage::track, stage::pause, stage::capture,
                             stage::resume, stage::drain, stage::seal);
  CAPTURE(to_string(last));
  if (last >= stage::drain)
    REQUIRE(take(*vm));
  else
    REQUIRE(run_to(*vm, last));
  if (last != stage::seal)
    vm->abandon();
  REQUIRE(vm->resume(soon()));
  CHECK(vm->tracked_since() == "r1");
  now += 20ms;
  REQUIRE(take(*vm));
  CHECK(captured());
}

TEST_CASE_METHOD(vmm_fixture, "a diff on another base is refused",
                 "[node][simulated_vmm][safety]") {
  const auto vm = start();
  base = {"r0", memory};
  CHECK(run_to(*vm, stage::track).error().code == ec::unsupported);
  CHECK(vm->estimate(capture(), soon()).error().code == ec::unsupported);
  base = {};
  REQUIRE(take(*vm));
  seal(*vm, "r1");
  base.root_hash = "r0";
  CHECK(run_to(*vm, stage::track).error().code == ec::unsupported);
}

TEST_CASE_METHOD(vmm_fixture, "a full sink ends a capture before the pause",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  now += 700ms;
  const auto wanted = capture();
  memory->fail_after(10 * guest_page_bytes);
  CHECK(vm->prepare(wanted, soon()).error().code == ec::disk_full);
  vm->abandon();
  CHECK(host->find({"s1"})->pauses() == 0);
  REQUIRE(take(*vm));
  CHECK(captured());
}

TEST_CASE_METHOD(vmm_fixture, "the pause is foretold, and shorter for a pass",
                 "[node][simulated_vmm]") {
  const auto vm = start();
  now += 700ms;
  const auto estimate = vm->estimate(capture(), soon());
  REQUIRE(estimate);
  CHECK(estimate->bytes == 65 * guest_page_bytes);
  const auto first = vm->prepare(capture(), soon());
  REQUIRE(first);
  CHECK(first->residual_bytes == 0);
  CHECK(first->dirty_bytes_per_second == 1000 * guest_page_bytes);
  now += 60ms;
  REQUIRE(vm->refine(soon()));
  now += 1ms;
  const auto later = vm->refine(soon());
  REQUIRE(later);
  CHECK(later->passes == 3);
  REQUIRE(vm->pause(soon()));
  REQUIRE(vm->capture(soon()));
  REQUIRE(vm->resume(soon()));
  REQUIRE(vm->drain(soon()));
  CHECK(captured());
}
