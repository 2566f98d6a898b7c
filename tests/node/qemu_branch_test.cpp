// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE_METHOD(vm_fixture, "a VM that is started counts and is described",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto vm = start("fresh");
  CHECK(vm->health(soon()) == vmm_health::running);
  CHECK(vm->describe().memory_bytes == plan("other").spec.memory.value);
  CHECK(vm->contract().machine == "microvm");
  CHECK(vm->contract().driver == driver().name());
  const auto allowed = vm->capabilities(soon());
  REQUIRE(allowed);
  CHECK(allowed->full);
  CHECK(allowed->live);
  CHECK(allowed->diff);
  check_guest(*vm);
  CHECK(vm->stop(soon()));
  CHECK(vm->health(soon()) == vmm_health::gone);
}

TEST_CASE_METHOD(vm_fixture, "live branches of an untracked VM are each right",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto vm = start_untracked("source");
  check_guest(*vm);
  for (const std::string name : {"first", "second", "third"}) {
    const auto before = watch(*vm)->last()->counter;
    const auto snapshot = branch(*vm, branch_mode::live, name);
    CHECK(last_result().method == "background-snapshot");
    CHECK(last_result().vmm_pause.count() > 0);
    const auto child = restore(snapshot, "child-of-" + name);
    const auto heard = watch(*child)->first()->counter;
    CHECK(heard > before);
    CHECK(heard < watch(*vm)->last()->counter);
    check_guest(*child);
    CHECK(child->stop(soon()));
  }
  check_guest(*vm);
}

TEST_CASE_METHOD(vm_fixture, "a stopped copy is right, and its arena is reused",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto vm = start_untracked("source");
  check_guest(*vm);
  for (const std::string name : {"first", "second"}) {
    const auto before = watch(*vm)->last()->counter;
    const auto snapshot = branch(*vm, branch_mode::full, name);
    CHECK(last_result().method == "stopped-copy");
    CHECK(last_result().vmm_pause.count() > 0);
    const auto child = restore(snapshot, "child-of-" + name);
    CHECK(watch(*child)->first()->counter > before);
    check_guest(*child);
    CHECK(child->stop(soon()));
  }
  check_guest(*vm);
}

TEST_CASE_METHOD(vm_fixture, "a child can be branched, in both modes",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm);
  const auto child = restore(branch(*vm, branch_mode::live, "parent"), "child");
  const auto mode = GENERATE(branch_mode::live, branch_mode::full);
  if (const auto allowed = child->capabilities(soon());
      mode == branch_mode::live && allowed && !allowed->live) {
    CHECK(allowed->live_obstacle.find("tmpfs") != std::string::npos);
    return;
  }
  const auto grandchild = restore(branch(*child, mode, "second"), "grandchild");
  check_guest(*grandchild);
  check_guest(*child);
}
