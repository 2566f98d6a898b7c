// SPDX-License-Identifier: Apache-2.0
// What is Firecracker's own; the rest is in the conformance cases.
#include "node/firecracker/firecracker_vmm.hpp"

#include <algorithm>
#include <filesystem>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/conformance/capturing.hpp"
#include "tests/support/firecracker_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> calls_of(firecracker_subject& world) {
  auto result = std::vector<std::string>{};
  const auto told = world.ask(world.vm_directory());
  for (const auto& call : told["calls"])
    result.push_back(call.get<std::string>());
  return result;
}

} // namespace

TEST_CASE("a VM is made by the calls that its version knows, in their order",
          "[node][firecracker_vmm]") {
  const auto [version, serial] =
    GENERATE(table<std::string, bool>({{"1.12.0", false}, {"1.14.2", true}}));
  auto world = firecracker_subject{version};
  const auto vm = start_vm(world);
  auto wanted = std::vector<std::string>{"GET /version"};
  if (serial)
    wanted.emplace_back("PUT /serial");
  wanted.insert(wanted.end(),
                {"PUT /boot-source", "PUT /machine-config", "PUT /actions"});
  CHECK(calls_of(world) == wanted);
  CHECK(vm->contract().vmm_version == version);
  CHECK(vm->describe().console
        == world.vm_directory() + (serial ? "/console.log" : "/qemu.log"));
}

TEST_CASE("nothing but pause, create and resume happens while it stands",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  branch.take(branch_mode::full);
  const auto calls = calls_of(world);
  const auto pause = std::ranges::find(calls, "pause");
  REQUIRE(calls.end() - pause >= 3);
  CHECK(*(pause + 1) == "create");
  CHECK(*(pause + 2) == "resume");
}

TEST_CASE("a diff that the version would damage is refused",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{"1.14.1"};
  auto plan = world.plan();
  plan.spec.memory = {4ull << 30};
  const auto vm = world.driver().start(plan, world.now() + 20s);
  REQUIRE(vm);
  const auto can = (*vm)->capabilities(world.now() + 20s);
  REQUIRE(can);
  CHECK_FALSE(can->diff);
  CHECK(can->diff_obstacle.find("1.14.2") != std::string::npos);
}

TEST_CASE("what Firecracker could not write has its reason, and the next is "
          "full",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto base = branch.take(branch_mode::full);
  world.let_guest_write(*vm);
  world.tell(world.vm_directory(), R"({"call":"create","fails_after":4096})");
  branch.plan(branch_mode::diff, base);
  REQUIRE(branch.run_to(stage::pause));
  CHECK(vm->capture(branch.soon()).error().code == ec::disk_full);
  REQUIRE(vm->resume(branch.soon()));
  vm->abandon();
  CHECK(vm->tracked_since().empty());
  check_snapshot(world, branch.take(branch_mode::full), 1);
}

TEST_CASE("there is one create in a pause, whatever came of it",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  branch.plan(branch_mode::full);
  REQUIRE(branch.run_to(stage::capture));
  CHECK_FALSE(vm->capture(branch.soon()));
  REQUIRE(vm->resume(branch.soon()));
  REQUIRE(vm->drain(branch.soon()));
  check_snapshot(world, branch.drained(), 1);
}

TEST_CASE("the next life of the node goes on with what is tracked",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto base = branch.take(branch_mode::full);
  world.let_guest_write(*vm);
  branch.plan(branch_mode::diff, base);
  REQUIRE(branch.run());
  vm.reset(); // after the drain, before anything was sealed
  const auto found = world.driver().adopt(world.plan(), branch.soon());
  REQUIRE(found);
  CHECK((*found)->tracked_since() == base.root_hash);
  world.let_guest_write(**found);
  auto again = capturing{world, **found};
  check_snapshot(world, again.take(branch_mode::diff, base), 1);
}

TEST_CASE("a guest whose node dies in its pause is resumed by its keeper",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  branch.plan(branch_mode::full);
  REQUIRE(branch.run_to(stage::pause));
  CHECK(vm->health(branch.soon()) == vmm_health::paused);
  vm.reset();
  auto line = firecracker::api{world.vm_directory() + "/api.sock"};
  const auto until = branch.soon();
  while (line.state(until) != firecracker::instance_state::running
         && world.now() < until)
    ::poll(nullptr, 0, 5);
  CHECK(line.state(until) == firecracker::instance_state::running);
}

TEST_CASE("a writable drive is refused, a readonly one is no obstacle",
          "[node][firecracker_vmm]") {
  const bool is_readonly = GENERATE(true, false);
  auto world = firecracker_subject{};
  const auto image = world.home() + "/disk";
  std::filesystem::copy("/etc/hostname", image);
  auto plan = world.plan();
  plan.spec.disks = {{.path = image, .format = "raw", .readonly = is_readonly}};
  const auto vm = world.driver().start(plan, world.now() + 20s);
  REQUIRE(vm);
  auto branch = capturing{world, **vm};
  branch.plan(branch_mode::full);
  const auto done = branch.run_to(stage::track);
  CHECK(done.has_value() == is_readonly);
  if (!done)
    CHECK(done.error().code == ec::unsupported);
}

TEST_CASE("a VM that somebody else started is attached to, and let go",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto plan = world.plan();
  plan.id = {"other"};
  plan.directory = world.home() + "/child";
  plan.spec = {};
  plan.spec.driver = config::driver_kind::firecracker;
  plan.spec.attach.api = world.vm_directory() + "/api.sock";
  const auto attached = world.driver().start(plan, world.now() + 20s);
  REQUIRE(attached);
  CHECK((*attached)->describe().pid == vm->describe().pid);
  CHECK((*attached)->describe().memory_bytes == 16 << 20);
  auto branch = capturing{world, **attached};
  branch.plan(branch_mode::full);
  REQUIRE(branch.run());
  check_snapshot(world, branch.drained(), 1);
  REQUIRE((*attached)->stop(branch.soon()));
  CHECK(vm->health(branch.soon()) == vmm_health::running);
}

TEST_CASE("a Firecracker that cannot start says why, and leaves nothing",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  auto plan = world.plan();
  plan.spec.kernel = "/nowhere/vmlinux";
  const auto vm = world.driver().start(plan, world.now() + 20s);
  REQUIRE_FALSE(vm);
  CHECK(vm.error().message.find("kernel file cannot be opened")
        != std::string::npos);
  CHECK(world.driver().adopt(plan, world.now() + 20s).error().code
        == ec::vmm_gone);
}

TEST_CASE("a snapshot of another line is not loaded",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  auto parent = branch.take(branch_mode::full);
  parent.contract.vmm_version = "1.11.0";
  const auto child =
    world.driver().start(world.child_plan(parent), branch.soon());
  REQUIRE_FALSE(child);
  CHECK(child.error().code == ec::unsupported);
}

TEST_CASE("a VM that is gone leaves no memory on tmpfs",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  branch.plan(branch_mode::full);
  REQUIRE(branch.run_to(stage::capture));
  CHECK_FALSE(std::filesystem::is_empty(world.fast_directory()));
  world.kill_vm(*vm);
  CHECK(world.driver().adopt(world.plan(), branch.soon()).error().code
        == ec::vmm_gone);
  CHECK(std::filesystem::is_empty(world.fast_directory()));
}
