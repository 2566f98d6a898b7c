// SPDX-License-Identifier: Apache-2.0
// Whatever breaks, the guest runs and the next branch is right.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/keeper_link.hpp"
#include "node/qemu/process.hpp"
#include "node/qemu/vm_launch.hpp"
#include "node/qemu/vm_record.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

enum class step : uint8_t { prepare, pause, capture, resume };

// What a node does until it is killed after one of its steps.
void branch_until(vmm& vm, const capture_plan& plan, step last) {
  auto end_at = [last](step here, const status& done) {
    if (!done)
      ::_exit(1);
    if (last == here)
      ::raise(SIGKILL);
  };
  end_at(step::prepare,
         vm.prepare(plan, soon()).map([](const capture_forecast&) {}));
  end_at(step::pause, vm.pause(soon()));
  end_at(step::capture, vm.capture(soon()));
  end_at(step::resume, vm.resume(soon()));
}

// What was captured while the keeper had to step in.
bool is_refused(vmm& vm, const status& captured) {
  const auto drained =
    captured ? vm.drain(soon()).map([](const capture_result&) {}) : captured;
  return !drained && drained.error().code == ec::vmm_refused;
}

void check_next_branch(vm_fixture& world, vmm& vm, branch_mode mode) {
  const auto name = std::string{schema::name_of(mode)};
  const auto child =
    world.restore(world.branch(vm, mode, name), "child-" + name);
  vm_fixture::check_guest(*child, 200);
  CHECK(child->stop(soon()));
}

void check_next_branches(vm_fixture& world, vmm& vm) {
  for (const auto mode : {branch_mode::live, branch_mode::full})
    check_next_branch(world, vm, mode);
}

} // namespace

TEST_CASE_METHOD(vm_fixture,
                 "a node killed at any step leaves a guest that runs",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  // Tracked is the same in both modes.
  const auto [mode, tracked] =
    GENERATE(table<branch_mode, bool>({{branch_mode::live, true},
                                       {branch_mode::live, false},
                                       {branch_mode::full, false}}));
  const auto last =
    GENERATE(step::prepare, step::pause, step::capture, step::resume);
  CAPTURE(schema::name_of(mode), static_cast<int>(last), tracked);
  const auto source = plan("source");
  auto vm = tracked ? start(source) : start_untracked(source);
  check_guest(*vm, 100);
  auto lost = make_snapshot("lost", *vm);
  forget(vm);
  const int code = in_other_process([&] {
    if (auto mine = driver().adopt(source, soon()))
      branch_until(**mine, lost.plan(mode), last);
    ::_exit(2);
  });
  REQUIRE(WIFSIGNALED(code));
  const auto found = adopt(source);
  wait_until_running(*found);
  check_guest(*found, 200);
  check_next_branch(*this, *found, mode);
}

TEST_CASE_METHOD(vm_fixture,
                 "a node that hangs in a pause cannot keep the guest, nor "
                 "use what it copied",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const bool tracked = GENERATE(true, false);
  CAPTURE(tracked);
  const auto source = plan("source");
  auto vm = tracked ? start(source) : start_untracked(source);
  check_guest(*vm, 100);
  const auto debug = vm->describe().debug_console;
  auto made = make_snapshot("torn", *vm);
  forget(vm);
  auto hang_in_pause = [&] {
    auto mine = driver().adopt(source, soon());
    auto short_plan = made.plan(branch_mode::full);
    short_plan.pause_max = 200ms;
    if (!mine || !(*mine)->prepare(short_plan, soon())
        || !(*mine)->pause(soon()))
      ::_exit(2);
    ::raise(SIGSTOP);
    const auto captured = (*mine)->capture(soon());
    const auto resumed = (*mine)->resume(soon());
    ::_exit(resumed && is_refused(**mine, captured) ? 0 : 1);
  };
  const int code = in_other_process(hang_in_pause, [&] {
    const auto watch = guest::guest_watch::open(debug, soon());
    REQUIRE(watch);
    // Past the time that the node has.
    const auto later = std::chrono::steady_clock::now() + 2s;
    CHECK((*watch)->wait_for_tick(later, soon()));
  });
  REQUIRE(WIFEXITED(code));
  CHECK(WEXITSTATUS(code) == 0);
  const auto found = adopt(source);
  check_next_branches(*this, *found);
}

TEST_CASE_METHOD(vm_fixture,
                 "a node that hangs while it drains cannot keep the guest, nor "
                 "use what it read",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto source = plan("source");
  auto vm = start_untracked(source);
  check_guest(*vm, 100);
  const auto debug = vm->describe().debug_console;
  auto made = make_snapshot("torn", *vm);
  forget(vm);
  auto hang_in_drain = [&] {
    auto mine = driver().adopt(source, soon());
    if (!mine || !(*mine)->prepare(made.plan(branch_mode::live), soon())
        || !(*mine)->pause(soon()) || !(*mine)->capture(soon())
        || !(*mine)->resume(soon()))
      ::_exit(2);
    ::raise(SIGSTOP);
    ::_exit(is_refused(**mine, {}) ? 0 : 1);
  };
  const int code = in_other_process(hang_in_drain, [&] {
    const auto watch = guest::guest_watch::open(debug, soon());
    REQUIRE(watch);
    // Until then it stands, for it writes what was not sent yet.
    const auto later = std::chrono::steady_clock::now() + 10s;
    CHECK((*watch)->wait_for_tick(later, soon()));
  });
  REQUIRE(WIFEXITED(code));
  CHECK(WEXITSTATUS(code) == 0);
  const auto found = adopt(source);
  check_next_branches(*this, *found);
}

TEST_CASE_METHOD(vm_fixture, "an abandoned branch does no harm at any step",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const bool tracked = GENERATE(true, false);
  const auto vm = tracked ? start("source") : start_untracked("source");
  check_guest(*vm, 100);
  auto made = make_snapshot("abandoned", *vm);
  for (const auto mode : {branch_mode::live, branch_mode::full})
    for (int steps = 1; steps <= 4; ++steps) {
      CAPTURE(schema::name_of(mode), steps);
      REQUIRE(vm->prepare(made.plan(mode), soon()));
      const bool paused = steps > 1 && vm->pause(soon());
      if (paused && steps > 2)
        CHECK(vm->capture(soon()));
      if (paused)
        CHECK(vm->resume(soon()));
      vm->abandon();
      CHECK(vm->health(soon()) == vmm_health::running);
    }
  check_guest(*vm, 200);
  check_next_branches(*this, *vm);
}

TEST_CASE_METHOD(vm_fixture, "a full disk costs the snapshot, never the guest",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const bool tracked = GENERATE(true, false);
  const auto vm = tracked ? start("source") : start_untracked("source");
  check_guest(*vm, 100);
  const auto full = unique_fd{::open("/dev/full", O_RDWR | O_CLOEXEC)};
  for (const auto mode : {branch_mode::live, branch_mode::full}) {
    CAPTURE(schema::name_of(mode));
    auto sink = flat_sink{full.get(), "/dev/full", vm->describe().memory_bytes,
                          flat_origin::fresh};
    const auto plan =
      capture_plan{.mode = mode, .memory = &sink, .vmstate_fd = full.get()};
    const auto prepared = vm->prepare(plan, soon());
    // What is tracked is copied before the pause, and never comes so far.
    if (tracked) {
      REQUIRE_FALSE(prepared);
      CHECK(prepared.error().code == ec::disk_full);
    } else {
      REQUIRE(prepared);
      REQUIRE(vm->pause(soon()));
      REQUIRE(vm->capture(soon()));
      REQUIRE(vm->resume(soon()));
      const auto drained = vm->drain(soon());
      REQUIRE_FALSE(drained);
      CHECK(drained.error().code == ec::disk_full);
    }
    vm->abandon();
    check_guest(*vm, 200);
  }
  check_next_branches(*this, *vm);
}

TEST_CASE_METHOD(vm_fixture,
                 "a writable disk that is in no layer of ours refuses it",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const bool is_readonly = GENERATE(true, false);
  auto with_disk = plan("source");
  const auto path = home() + "/disk.raw";
  const auto disk =
    unique_fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  REQUIRE(::ftruncate(disk.get(), 1 << 20) == 0);
  with_disk.spec.qemu_arguments = {"-blockdev",
                                   "driver=file,node-name=own,filename=" + path
                                     + ",read-only="
                                     + (is_readonly ? "on" : "off"),
                                   "-device", "virtio-blk-device,drive=own"};
  const auto vm = start(with_disk);
  auto made = make_snapshot("one", *vm);
  const auto prepared = vm->prepare(made.plan(branch_mode::live), soon());
  CHECK(prepared.has_value() == is_readonly);
  if (!prepared) {
    CHECK(prepared.error().code == ec::unsupported);
    CHECK(prepared.error().message.find(path) != std::string::npos);
  }
}

TEST_CASE_METHOD(vm_fixture,
                 "no child is started over a file of its arguments that was "
                 "changed",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto path = home() + "/disk.raw";
  std::ofstream{path} << std::string(1 << 20, 'a');
  auto with_disk = plan("source");
  with_disk.spec.qemu_arguments = {
    "-blockdev", "driver=file,node-name=own,filename=" + path + ",read-only=on",
    "-device", "virtio-blk-device,drive=own"};
  const auto vm = start(with_disk);
  const auto files = branch(*vm, branch_mode::full, "one");
  auto child = plan("child");
  child.snapshot = files;
  child.images = std::make_shared<host_images>(
    host_images{.arguments = {with_disk.spec.qemu_arguments}});
  SECTION("another content") {
    std::ofstream{path} << std::string(1 << 20, 'b');
    const auto started = driver().start(child, soon());
    REQUIRE_FALSE(started);
    CHECK(started.error().code == ec::unsupported);
    CHECK_THAT(started.error().message, Catch::Contains(path));
  }
  SECTION("the same content") {
    std::ofstream{path} << std::string(1 << 20, 'a');
    check_guest(*start(child), 100);
  }
}

TEST_CASE_METHOD(vm_fixture, "a VM does not outlive the process of its leash",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto holder = child_process{{}, home()};
  auto leashed = plan("leashed");
  leashed.leash_pid = holder.pid();
  const auto vm = start(leashed);
  const auto pidfd =
    qemu::find_process(qemu::identify(static_cast<pid_t>(vm->describe().pid)));
  REQUIRE(pidfd.runs());
  CHECK_FALSE(qemu::has_ended(pidfd.pidfd()));
  holder.kill();
  CHECK(qemu::wait_for_end(pidfd.pidfd(), soon()));
  CHECK(vm->health(soon()) == vmm_health::gone);
}

TEST_CASE_METHOD(vm_fixture, "a VM without a leash survives its keeper",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto loose = plan("loose");
  loose.leash_pid = 0;
  const auto vm = start(loose);
  // Ends the VM when the test does not come so far.
  const auto guard = child_process{
    {"/bin/sh", "-c",
     "while kill -0 " + std::to_string(::getpid()) + "; do sleep 1; done; "
       + "kill -9 " + std::to_string(vm->describe().pid)},
    home()};
  const auto link = qemu::keeper_link::connect(
    loose.directory + "/" + qemu::keeper_socket, soon());
  REQUIRE(link);
  const auto keeper = qemu::find_process(link->identity().keeper);
  REQUIRE(keeper.runs());
  qemu::send_signal(keeper.pidfd(), SIGKILL);
  REQUIRE(qemu::wait_for_end(keeper.pidfd(), soon()));
  check_guest(*vm, 200);
  check_next_branches(*this, *vm);
  CHECK(last_result().warnings.empty());
}

TEST_CASE_METHOD(vm_fixture, "a keeper that is late starts no VM",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  // Its node was killed, and the next one gave the child up meanwhile.
  const auto late = plan("late");
  const auto touched = home() + "/touched";
  const auto found = qemu::find_programs({});
  REQUIRE(found);
  const auto command = qemu::keeper_command{.keeper = found->keeper,
                                            .directory = late.directory,
                                            .record = qemu::vm_record_file,
                                            .leash_pid = ::getpid(),
                                            .vmm = {"/usr/bin/touch", touched}};
  const auto started = qemu::start_keeper(command, soon());
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("not wanted") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(touched));
}

TEST_CASE_METHOD(vm_fixture, "nothing writes where a VM has ended",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto ended = plan("ended");
  const auto vm = start(ended);
  const auto link = qemu::keeper_link::connect(
    ended.directory + "/" + qemu::keeper_socket, soon());
  REQUIRE(link);
  REQUIRE(vm->stop(soon()));
  CHECK(qemu::find_process(link->identity().keeper).has_ended());
}

TEST_CASE_METHOD(vm_fixture, "a VMM that was killed is gone, and said so",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto source = plan("source");
  const auto vm = start(source);
  auto made = make_snapshot("none", *vm);
  const auto pidfd =
    qemu::find_process(qemu::identify(static_cast<pid_t>(vm->describe().pid)));
  REQUIRE(pidfd.runs());
  qemu::send_signal(pidfd.pidfd(), SIGKILL);
  REQUIRE(qemu::wait_for_end(pidfd.pidfd(), soon()));
  const auto prepared = vm->prepare(made.plan(branch_mode::live), soon());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().code == ec::vmm_gone);
  CHECK(vm->health(soon()) == vmm_health::gone);
  const auto found = driver().adopt(source, soon());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::vmm_gone);
}
