// SPDX-License-Identifier: Apache-2.0
// What is Firecracker's own; the rest is in the conformance cases.
#include "node/firecracker/firecracker_vmm.hpp"

#include <algorithm>
#include <filesystem>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/firecracker/vm_record.hpp"
#include "node/pause_history.hpp"
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

/// What attaches to the VM of the subject.
start_plan attaching(firecracker_subject& world) {
  auto plan = world.plan();
  plan.id = {"other"};
  plan.directory = world.home() + "/child";
  plan.spec = {};
  plan.spec.driver = config::driver_kind::firecracker;
  plan.spec.attach.api = world.vm_directory() + "/api.sock";
  return plan;
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
        == world.vm_directory()
             + (serial ? "/console.log" : "/firecracker.log"));
}

TEST_CASE("every VM has its own console, however it came to be",
          "[node][firecracker_vmm]") {
  const auto version = GENERATE("1.12.0", "1.14.2");
  auto world = firecracker_subject{version};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto parent = branch.take(branch_mode::full);
  const auto child =
    world.driver().start(world.child_plan(parent), branch.soon());
  REQUIRE(child);
  for (const auto& one : {vm, *child}) {
    CAPTURE(one->describe().console);
    const auto console = read_small_file(one->describe().console);
    REQUIRE(console);
    CHECK(*console == "the guest runs\n");
  }
  CHECK(vm->describe().console != (*child)->describe().console);
}

TEST_CASE("a child that ends as soon as it runs has failed, with the reason",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto parent = branch.take(branch_mode::full);
  auto plan = world.child_plan(parent);
  plan.spec.binary = world.program("dying");
  const auto child = world.driver().start(plan, branch.soon());
  REQUIRE_FALSE(child);
  CHECK(child.error().code == ec::vmm_gone);
  CHECK(child.error().message
        == "the VM ended as soon as it ran: its VMM exited with status 152: "
           "vCPU exit: the guest cannot go on here");
  CHECK(world.driver().adopt(plan, branch.soon()).error().code == ec::vmm_gone);
}

TEST_CASE("a VM that has ended says how", "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  CHECK(vm->health(world.now() + 20s) == vmm_health::running);
  CHECK(vm->trouble().empty());
  world.kill_vm(*vm);
  // Its keeper writes that down.
  const auto until = world.now() + 20s;
  while (!std::filesystem::exists(world.vm_directory() + "/exit.json")
         && world.now() < until)
    ::poll(nullptr, 0, 5);
  CHECK(vm->health(until) == vmm_health::gone);
  CHECK(vm->trouble().find("its VMM was killed by signal 9")
        != std::string::npos);
}

TEST_CASE("a diff is foretold by diffs, not by the full before it",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto first = vm->prepare(branch.plan(branch_mode::full), branch.soon());
  REQUIRE(first);
  CHECK(first->is_assumed);
  vm->abandon();
  world.tell(world.vm_directory(), R"({"call":"create","delay_ms":300})");
  const auto base = branch.take(branch_mode::full);
  const auto full = vm->prepare(branch.plan(branch_mode::full), branch.soon());
  REQUIRE(full);
  CHECK_FALSE(full->is_assumed);
  CHECK(full->pause >= 300ms);
  vm->abandon();
  world.let_guest_write(*vm);
  const auto told =
    vm->prepare(branch.plan(branch_mode::diff, base), branch.soon());
  REQUIRE(told);
  CHECK(told->is_assumed);
  CHECK(told->residual_bytes == (16u << 20) / 16);
  vm->abandon();
  const auto next = branch.take(branch_mode::diff, base);
  const auto known =
    vm->prepare(branch.plan(branch_mode::diff, next), branch.soon());
  REQUIRE(known);
  CHECK_FALSE(known->is_assumed);
  CHECK(known->residual_bytes < 1u << 20);
  CHECK(known->pause < full->pause);
}

TEST_CASE("what one VM of a host took is known of the next",
          "[node][firecracker_vmm]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  const auto parent = branch.take(branch_mode::full);
  const auto child =
    world.driver().start(world.child_plan(parent), branch.soon());
  REQUIRE(child);
  auto of_child = capturing{world, **child};
  // Its memory is still in its snapshot's file: that is another kind.
  const auto first =
    (*child)->prepare(of_child.plan(branch_mode::full), of_child.soon());
  REQUIRE(first);
  CHECK(first->is_assumed);
  (*child)->abandon();
  of_child.take(branch_mode::full);
  const auto second =
    (*child)->prepare(of_child.plan(branch_mode::full), of_child.soon());
  REQUIRE(second);
  CHECK_FALSE(second->is_assumed);
  CHECK(second->basis.find("other VMs of this host") != std::string::npos);
}

TEST_CASE("a budget that was refused again and again is tried once",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  auto branch = capturing{world, *vm};
  for (uint64_t i = 0; i < pause_history::refusals_first; ++i) {
    const auto told =
      vm->prepare(branch.plan(branch_mode::full), branch.soon());
    REQUIRE(told);
    CHECK_FALSE(told->is_due);
    vm->refused();
    vm->abandon();
  }
  const auto due = vm->prepare(branch.plan(branch_mode::full), branch.soon());
  REQUIRE(due);
  CHECK(due->is_due);
  vm->abandon();
  branch.take(branch_mode::full);
  const auto learned =
    vm->prepare(branch.plan(branch_mode::full), branch.soon());
  REQUIRE(learned);
  CHECK_FALSE(learned->is_due);
  CHECK_FALSE(learned->is_assumed);
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
  const auto plan = attaching(world);
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

TEST_CASE("an attached Firecracker whose process was never known is not gone",
          "[node][firecracker_vmm][safety]") {
  auto world = firecracker_subject{};
  const auto vm = start_vm(world);
  const auto plan = attaching(world);
  REQUIRE(world.driver().start(plan, world.now() + 20s));
  auto record = firecracker::load_vm_record(plan.directory);
  REQUIRE(record);
  record->pid = 0;
  REQUIRE(firecracker::save(*record, plan.directory));
  const auto found = world.driver().adopt(plan, world.now() + 20s);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::vmm_unreachable);
  CHECK(firecracker::load_vm_record(plan.directory));
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
