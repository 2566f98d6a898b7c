// SPDX-License-Identifier: Apache-2.0
// What a VM is made of beside its main memory: it is in the child, or the
// branch is refused before the guest stands.
#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/foreign_vm.hpp"
#include "tests/support/hand_monitor.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

using arguments = std::vector<std::string>;

start_plan machine_plan(const vm_fixture& world, const std::string& type,
                        const arguments& more) {
  auto result = world.plan("source");
  result.spec.machine = type;
  result.spec.qemu_arguments = more;
  add_hand_monitor(result);
  return result;
}

// What a branch of it is refused with; empty when it is not.
std::string refusal_of(vm_fixture& world, vmm& vm, branch_mode mode) {
  auto made = world.make_snapshot("refused", vm);
  const auto estimate = vm.estimate(made.plan(mode), soon());
  std::filesystem::remove(made.files.memory.files.front());
  std::filesystem::remove(made.files.vmstate_path);
  if (estimate)
    return {};
  CHECK(estimate.error().code == ec::unsupported);
  return estimate.error().message;
}

std::string screen_of(const std::string& directory) {
  return ask_monitor(*hand_monitor(directory), "xp /64wx 0xb8000");
}

void check_screen(vm_fixture& world, const snapshot_files& files,
                  const std::string& screen) {
  const auto name = "child-of-" + files.info.tag.value;
  const auto child = world.restore(files, name);
  CHECK(screen_of(world.home() + "/" + name) == screen);
  world.check_guest(*child, 100);
  CHECK(child->stop(soon()));
}

} // namespace

TEST_CASE_METHOD(vm_fixture, "a child has its parent's screen",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto source = machine_plan(*this, "pc", {"-device", "VGA"});
  const auto vm = start(source);
  check_guest(*vm, 100);
  const auto screen = screen_of(source.directory);
  REQUIRE(screen.find("0x07") != std::string::npos);
  auto check = [&](const snapshot_files& files) {
    CHECK(last_result().method == "background-snapshot");
    CHECK(last_result().reason.find("vga.vram") != std::string::npos);
    check_screen(*this, files, screen);
  };
  check(branch(*vm, branch_mode::live, "live"));
  check(branch(*vm, branch_mode::full, "full"));
  check(diff(*vm, "full", "diff"));
}

TEST_CASE_METHOD(vm_fixture,
                 "a child has its parent's screen beside a device that is not "
                 "known",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto source =
    machine_plan(*this, "pc", {"-device", "VGA", "-device", "tulip"});
  const auto vm = start(source);
  check_guest(*vm, 100);
  const auto screen = screen_of(source.directory);
  REQUIRE(screen.find("0x07") != std::string::npos);
  CHECK(refusal_of(*this, *vm, branch_mode::live).find("tulip")
        != std::string::npos);
  const auto full = branch(*vm, branch_mode::full, "full");
  CHECK(last_result().method == "stopped-send");
  check_screen(*this, full, screen);
}

TEST_CASE_METHOD(vm_fixture, "devices that are known are tracked and restored",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto [type, devices] = GENERATE(table<std::string, arguments>(
    {{"microvm",
      {"-blockdev", "null-co,node-name=none,size=1048576,read-only=on",
       "-blockdev", "null-co,node-name=more,size=1048576,read-only=on",
       "-netdev",   "user,id=lan",
       "-chardev",  "null,id=nobody",
       "-chardev",  "null,id=neither",
       "-device",   "virtio-blk-device,drive=none",
       "-device",   "virtio-net-device,netdev=lan",
       "-device",   "virtio-rng-device",
       "-device",   "virtio-serial-device",
       "-device",   "virtserialport,chardev=nobody,name=port",
       "-device",   "virtconsole,chardev=neither,name=console",
       "-device",   "virtio-scsi-device",
       "-device",   "scsi-cd",
       "-device",   "scsi-hd,drive=more"}},
     {"q35", {"-netdev", "user,id=lan",
              "-device", "pcie-root-port,id=p,chassis=1",
              "-device", "virtio-net-pci,netdev=lan,bus=p",
              "-device", "virtio-rng-pci",
              "-device", "virtio-scsi-pci",
              "-device", "virtio-serial-pci",
              "-device", "e1000",
              "-device", "ahci,id=a",
              "-device", "ide-cd,bus=a.0",
              "-device", "qemu-xhci",
              "-device", "usb-tablet",
              "-device", "usb-kbd",
              "-device", "pvpanic"}}}));
  const auto vm = start(machine_plan(*this, type, devices));
  check_guest(*vm, 100);
  const auto allowed = vm->capabilities(soon());
  REQUIRE(allowed);
  if (!allowed->diff_is_tracked)
    return skip("memory cannot be tracked here");
  auto check_child = [&](const snapshot_files& files) {
    CHECK(last_result().method == "tracked");
    CHECK(last_result().reason.empty());
    const auto child = restore(files, "child-of-" + files.info.tag.value);
    check_guest(*child, 200);
    CHECK(child->stop(soon()));
  };
  branch(*vm, branch_mode::full, "full");
  check_child(diff(*vm, "full", "diff"));
}

TEST_CASE_METHOD(vm_fixture, "what no snapshot captures is refused by name",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto [more, wanted] = GENERATE(table<arguments, std::string>(
    {{{"-device", "virtio-balloon-device"}, "its device virtio-balloon-device"},
     {{"-object", "memory-backend-ram,id=other,size=128M", "-machine",
       "memory-backend=other"},
      "its main memory is the backend other"}}));
  const auto vm = start(machine_plan(*this, "microvm", more));
  for (const auto mode : {branch_mode::live, branch_mode::full})
    CHECK(refusal_of(*this, *vm, mode).find(wanted) != std::string::npos);
  const auto allowed = vm->capabilities(soon());
  REQUIRE(allowed);
  CHECK_FALSE(allowed->live);
  CHECK(allowed->live_obstacle.find(wanted) != std::string::npos);
}

TEST_CASE_METHOD(vm_fixture,
                 "what is plugged in later is refused until it goes",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto source = machine_plan(*this, "pc", {});
  const auto vm = start(source);
  check_guest(*vm, 50);
  CHECK(refusal_of(*this, *vm, branch_mode::live).empty());
  auto monitor = hand_monitor(source.directory);
  REQUIRE(monitor->execute(
    "object-add", qemu::json{{"qom-type", "rng-random"}, {"id", "more"}},
    soon()));
  REQUIRE(monitor->execute(
    "device_add",
    qemu::json{{"driver", "virtio-rng-pci"}, {"rng", "more"}, {"id", "late"}},
    soon()));
  auto made = make_snapshot("late", *vm);
  const auto prepared = vm->prepare(made.plan(branch_mode::live), soon());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().message.find("virtio-rng-pci was plugged in after")
        != std::string::npos);
  CHECK(vm->health(soon()) == vmm_health::running);
}

TEST_CASE_METHOD(vm_fixture,
                 "a device of an attached VM must be in the fleet "
                 "file",
                 "[node][qemu][vm][inventory][safety]") {
  if (!can_run())
    return;
  const auto foreign =
    foreign_vm{*this, [](arguments& x) {
                 x.insert(x.end(), {"-device", "virtio-rng-device"});
               }};
  foreign.wait_until_up();
  auto plan = foreign.plan(*this, true);
  auto vm = start(plan);
  CHECK(refusal_of(*this, *vm, branch_mode::live)
          .find("virtio-rng-device would not be in a child")
        != std::string::npos);
  CHECK(vm->stop(soon()));
  forget(vm);
  plan.spec.qemu_arguments = {"-device", "virtio-rng-device"};
  const auto named = start(plan);
  const auto child =
    restore(branch(*named, branch_mode::live, "named"), "child");
  check_guest(*child, 100);
}
