// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/qemu/qmp_client.hpp"
#include "node/storage/file.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A guest whose writable disks must be frozen cannot be write-protected.
start_plan plan_with_disk(const vm_fixture& world) {
  auto result = world.plan("source");
  const auto disk = world.home() + "/disk.raw";
  const auto fd = open_file(disk, O_RDWR | O_CREAT);
  REQUIRE(fd);
  REQUIRE(resize_file(fd->get(), 1 << 20, disk));
  result.spec.disks = {{.path = disk, .format = "raw"}};
  return result;
}

} // namespace

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

TEST_CASE_METHOD(vm_fixture,
                 "a copy under which somebody resumed the guest is no snapshot",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto with_disk = plan_with_disk(*this);
  with_disk.spec.qemu_arguments = {"-qmp", "unix:hand.sock,server=on,wait=off"};
  const auto vm = start_untracked(with_disk);
  check_guest(*vm, 100);
  auto hand =
    qemu::qmp_client::connect(with_disk.directory + "/hand.sock", soon());
  REQUIRE(hand);
  auto made = make_snapshot("torn", *vm);
  REQUIRE(vm->prepare(made.plan(branch_mode::full), soon()));
  REQUIRE(vm->pause(soon()));
  REQUIRE((*hand)->execute("cont", soon()));
  REQUIRE((*hand)->execute("stop", soon()));
  const auto captured = vm->capture(soon());
  REQUIRE_FALSE(captured);
  CHECK_THAT(captured.error().message, Catch::Contains("was resumed while"));
  CHECK(vm->resume(soon()));
  static_cast<void>(vm->drain(soon()).has_value());
  check_guest(*vm, 100);
}

TEST_CASE_METHOD(vm_fixture, "a stopped copy is right, and its arena is reused",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto with_disk = plan_with_disk(*this);
  const auto vm = start_untracked(with_disk);
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

TEST_CASE_METHOD(vm_fixture,
                 "a full snapshot takes the shortest pause that there is, and "
                 "learns how long it is",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto vm = start_untracked("source");
  check_guest(*vm);
  auto made = make_snapshot("assumed", *vm);
  const auto first = vm->prepare(made.plan(branch_mode::full), soon());
  REQUIRE(first);
  CHECK(first->is_assumed);
  vm->abandon();
  const auto snapshot = branch(*vm, branch_mode::full, "first");
  CHECK(last_result().method == "background-snapshot");
  auto next = make_snapshot("learned", *vm);
  const auto second = vm->prepare(next.plan(branch_mode::full), soon());
  REQUIRE(second);
  CHECK_FALSE(second->is_assumed);
  CHECK(second->pause == last_result().vmm_pause);
  vm->abandon();
  const auto child = restore(snapshot, "child");
  check_guest(*child);
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
