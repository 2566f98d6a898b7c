// SPDX-License-Identifier: Apache-2.0
// Diffs of real guests: chains of them, their children, and whatever could
// make one wrong.
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "examples/guest/memory.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/process.hpp"
#include "tests/support/memory_chain.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

bool is_tracked(vmm& vm) {
  const auto allowed = vm.capabilities(soon());
  REQUIRE(allowed);
  if (!allowed->diff_is_tracked)
    skip("memory cannot be tracked here");
  return allowed->diff_is_tracked;
}

void check_child(vm_fixture& world, const snapshot_files& files) {
  const auto child = world.restore(files, "child-of-" + files.info.tag.value);
  vm_fixture::check_guest(*child, 300);
  CHECK(child->stop(soon()));
}

// The first page of the guest's ring that was written since the base, as it
// was in the base. False when there is none.
bool write_stale_page(const memory_layout& before, const memory_layout& after,
                      memory_sink& sink) {
  const auto old_image = layout_image{before};
  const auto new_image = layout_image{after};
  auto old_page = std::vector<uint8_t>(guest_page_bytes);
  auto new_page = old_page;
  auto stamp_of = [](const std::vector<uint8_t>& page) {
    uint64_t word = 0;
    std::memcpy(&word, page.data(), sizeof word);
    return guest::read_stamp(word);
  };
  for (uint64_t at = 0; at < before.bytes; at += guest_page_bytes) {
    if (!old_image.read(at, old_page) || !new_image.read(at, new_page))
      return false;
    const auto was = stamp_of(old_page);
    const auto is = stamp_of(new_page);
    if (was && is && was->index == is->index && was->round < is->round)
      return sink.write(at, old_page).has_value();
  }
  return false;
}

} // namespace

TEST_CASE_METHOD(vm_fixture, "each diff of a chain restores right",
                 "[node][qemu][vm][chain]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  CHECK(vm->tracked_since().empty());
  auto chain = std::vector{branch(*vm, branch_mode::full, "full")};
  CHECK(last_result().method == "tracked");
  CHECK(last_result().reason.empty());
  for (int i = 1; i <= 6; ++i) {
    const auto base = chain.back().info.tag.value;
    CHECK(vm->tracked_since() == "root-of-" + base);
    chain.push_back(diff(*vm, base, "diff-" + std::to_string(i)));
    CHECK(last_result().method == "tracked");
    CHECK(last_result().vmm_pause.count() > 0);
    CHECK(last_result().passes >= 2);
    check_guest(*vm, 50);
  }
  for (const auto place : {0, 1, 3, 6})
    check_child(*this, chain[static_cast<std::size_t>(place)]);
  check_guest(*vm, 100);
}

TEST_CASE_METHOD(vm_fixture, "a branch of a branch of a branch is right",
                 "[node][qemu][vm][chain]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::live, "one");
  CHECK(last_result().method == "tracked");
  check_guest(*vm, 50);
  const auto two = diff(*vm, "one", "two");
  const auto child = restore(two, "child");
  check_guest(*child, 100);
  CHECK(child->tracked_since() == "root-of-two");
  const auto three = diff(*child, "two", "three");
  CHECK(last_result().method == "tracked");
  const auto grandchild = restore(three, "grandchild");
  check_guest(*grandchild, 100);
  const auto four = diff(*grandchild, "three", "four");
  check_child(*this, four);
  branch(*grandchild, branch_mode::full, "five");
  CHECK(last_result().method == "tracked");
  const auto last = restore(diff(*grandchild, "five", "six"), "last");
  check_guest(*last, 200);
  check_guest(*vm, 50);
}

TEST_CASE_METHOD(vm_fixture, "a branch that failed leaves the next diff right",
                 "[node][qemu][vm][chain][safety]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::full, "base");
  for (int steps = 1; steps <= 5; ++steps) {
    auto lost = make_snapshot("lost-" + std::to_string(steps), *vm);
    auto plan = lost.plan(branch_mode::diff);
    plan.scope = capture_scope::changed;
    plan.base = base_of("base");
    REQUIRE(vm->prepare(plan, soon()));
    const bool paused = steps > 1 && vm->pause(soon());
    if (paused && steps > 2)
      CHECK(vm->capture(soon()));
    if (paused)
      CHECK(vm->resume(soon()));
    if (steps > 4)
      CHECK(vm->drain(soon()));
    vm->abandon();
    check_guest(*vm, 50);
  }
  CHECK(vm->tracked_since() == "root-of-base");
  check_child(*this, diff(*vm, "base", "next"));
}

TEST_CASE_METHOD(vm_fixture, "a branch is cancelled before its pause",
                 "[node][qemu][vm][chain][safety]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::full, "base");
  auto lost = make_snapshot("lost", *vm);
  auto plan = lost.plan(branch_mode::full);
  plan.is_cancelled = [] { return true; };
  const auto prepared = vm->prepare(plan, soon());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().code == ec::cancelled);
  check_child(*this, diff(*vm, "base", "next"));
}

TEST_CASE_METHOD(vm_fixture, "a diff goes on over the lives of the node",
                 "[node][qemu][vm][chain][safety]") {
  if (!can_run())
    return;
  const auto source = plan("source");
  auto vm = start(source);
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::full, "base");
  forget(vm);
  auto second = adopt(source);
  CHECK(second->tracked_since() == "root-of-base");
  check_guest(*second, 100);
  check_child(*this, diff(*second, "base", "between"));
  // This life ends within a branch: what it found nobody else knows.
  auto lost = make_snapshot("lost", *second);
  forget(second);
  const int code = in_other_process([&] {
    auto mine = driver().adopt(source, soon());
    if (mine && (*mine)->prepare(lost.plan(branch_mode::full), soon()))
      ::raise(SIGKILL);
    ::_exit(2);
  });
  REQUIRE(WIFSIGNALED(code));
  const auto third = adopt(source);
  CHECK(third->tracked_since().empty());
  auto refused = make_snapshot("refused", *third);
  auto wrong = refused.plan(branch_mode::diff);
  wrong.scope = capture_scope::changed;
  wrong.base = base_of("between");
  // Nor is it compared: the guest would stand while all of it is read.
  const auto estimate = third->estimate(wrong, soon());
  REQUIRE_FALSE(estimate);
  CHECK(estimate.error().code == ec::unsupported);
  branch(*third, branch_mode::full, "again");
  check_child(*this, diff(*third, "again", "after"));
}

TEST_CASE_METHOD(vm_fixture, "a VM that lost its keeper is tracked on",
                 "[node][qemu][vm][chain][safety]") {
  if (!can_run())
    return;
  auto loose = plan("loose");
  loose.leash_pid = 0;
  auto vm = start(loose);
  const auto guard = child_process{
    {"/bin/sh", "-c",
     "while kill -0 " + std::to_string(::getpid()) + "; do sleep 1; done; "
       + "kill -9 " + std::to_string(vm->describe().pid)},
    home()};
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::full, "base");
  const auto link = qemu::keeper_link::connect(
    loose.directory + "/" + qemu::keeper_socket, soon());
  REQUIRE(link);
  const auto keeper = qemu::find_process(link->identity().keeper);
  REQUIRE(keeper.runs());
  qemu::send_signal(keeper.pidfd(), SIGKILL);
  REQUIRE(qemu::wait_for_end(keeper.pidfd(), soon()));
  check_child(*this, diff(*vm, "base", "next"));
  // The next life has nobody to ask for the userfaultfd.
  forget(vm);
  const auto again = adopt(loose);
  CHECK(again->tracked_since().empty());
  branch(*again, branch_mode::full, "other");
  CHECK(last_result().method == "background-snapshot");
  CHECK(last_result().reason.find("not tracked: ") != std::string::npos);
  const auto changed = diff(*again, "other", "compared");
  CHECK(last_result().method == "background-snapshot");
  check_child(*this, changed);
}

TEST_CASE_METHOD(vm_fixture, "an idle guest's diff is small",
                 "[node][qemu][vm][chain]") {
  if (!can_run())
    return;
  auto idle = plan("idle");
  idle.spec.append = "ff.rate_mib=0 ff.set_mib=16 ff.tick_us=20000 "
                     "ff.idle=sleep";
  const auto vm = start(idle);
  check_guest(*vm, 50);
  if (!is_tracked(*vm))
    return;
  branch(*vm, branch_mode::full, "base");
  ::poll(nullptr, 0, 200);
  const auto files = diff(*vm, "base", "diff");
  CHECK(last_result().written_bytes * 20 < last_result().memory_bytes);
  check_child(*this, files);
}

TEST_CASE_METHOD(vm_fixture, "a child without a tracker knows its own pages",
                 "[node][qemu][vm][chain]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  const auto base = branch(*vm, branch_mode::full, "base");
  auto child = plan("child");
  child.snapshot = base;
  const auto started = start_untracked(child);
  auto& own = *started;
  check_guest(own, 100);
  const auto estimate = own.capabilities(soon());
  REQUIRE(estimate);
  if (own.tracked_since().empty())
    return skip("the page map cannot be scanned here");
  const auto first = diff(own, "base", "first");
  CHECK(last_result().method == "page-map");
  CHECK(last_result().reason.find("preload library") != std::string::npos);
  check_guest(own, 50);
  const auto second = diff(own, "first", "second");
  CHECK(last_result().method == "page-map");
  check_child(*this, first);
  check_child(*this, second);
}

TEST_CASE_METHOD(vm_fixture, "one stale page in a diff is caught by the guest",
                 "[node][qemu][vm][chain][safety]") {
  if (!can_run())
    return;
  const auto vm = start("source");
  check_guest(*vm, 100);
  if (!is_tracked(*vm))
    return;
  const auto base = branch(*vm, branch_mode::full, "base");
  check_guest(*vm, 100);
  auto torn = diff(*vm, "base", "torn");
  auto sink = packed_sink{home() + "/stale"};
  const auto stale = write_stale_page(base.memory, torn.memory, sink);
  REQUIRE(stale);
  torn.memory = sink.over(torn.memory);
  const auto child = restore(torn, "child");
  const auto heard =
    guest::guest_watch::open(child->describe().debug_console, soon());
  REQUIRE(heard);
  const auto wrong = (*heard)->wait_for_error(soon());
  REQUIRE(wrong);
  CHECK(wrong->errors > 0);
}
