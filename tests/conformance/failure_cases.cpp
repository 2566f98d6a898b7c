// SPDX-License-Identifier: Apache-2.0
// Whatever fails, the guest runs on, and the next snapshot is right.
#include <array>

#include <catch2/catch.hpp>

#include "tests/conformance/capturing.hpp"
#include "tests/conformance/cases.hpp"

namespace forkfleet::test {

namespace {

constexpr auto stages = std::array{stage::track, stage::pause, stage::capture,
                                   stage::resume, stage::drain};
constexpr auto calls = std::array{stage::pause, stage::capture, stage::resume};

branch_mode best_mode(vmm& vm, const capturing& branch) {
  const auto can = vm.capabilities(branch.soon());
  REQUIRE(can);
  return can->full ? branch_mode::full : branch_mode::live;
}

/// A diff where one can be had, else a whole snapshot; it must be right.
void check_next(conformance_subject& subject, vmm& vm, capturing& branch,
                const taken_snapshot& base, uint64_t least) {
  subject.let_guest_write(vm);
  const bool is_diff =
    !base.root_hash.empty() && vm.tracked_since() == base.root_hash;
  const auto next = is_diff ? branch.take(branch_mode::diff, base)
                            : branch.take(best_mode(vm, branch));
  check_snapshot(subject, next, least);
}

void abandon_anywhere(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto mode = best_mode(*vm, branch);
  vm->abandon();
  vm->abandon();
  const auto base = branch.take(mode);
  const auto at = check_snapshot(subject, base, 1);
  for (const auto last : stages) {
    CAPTURE(to_string(last));
    branch.plan(mode);
    REQUIRE(branch.run_to(last));
    vm->abandon();
    vm->abandon();
    REQUIRE(vm->resume(branch.soon()));
    check_guest_runs(subject, *vm);
  }
  check_next(subject, *vm, branch, base, at + 1);
}

void abandon_diff_anywhere(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto can = vm->capabilities(branch.soon());
  REQUIRE(can);
  if (!can->diff)
    return;
  auto base = branch.take(branch_mode::full);
  auto at = check_snapshot(subject, base, 1);
  for (const auto last : stages) {
    CAPTURE(to_string(last));
    subject.let_guest_write(*vm);
    branch.plan(branch_mode::diff, base);
    REQUIRE(branch.run_to(last));
    vm->abandon();
    REQUIRE(vm->resume(branch.soon()));
    // What cannot be kept must not be promised.
    const bool is_kept = vm->tracked_since() == base.root_hash;
    CHECK((is_kept || vm->tracked_since().empty()));
    subject.let_guest_write(*vm);
    base = is_kept ? branch.take(branch_mode::diff, base)
                   : branch.take(branch_mode::full);
    at = check_snapshot(subject, base, at + 1);
  }
}

void commit_late(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto before = vm->tracked_since();
  vm->commit("nothing was drained");
  CHECK(vm->tracked_since() == before);
  const auto mode = best_mode(*vm, branch);
  branch.plan(mode);
  REQUIRE(branch.run_to(stage::resume));
  vm->commit("too early");
  CHECK(vm->tracked_since() != "too early");
  REQUIRE(vm->drain(branch.soon()));
  // What happens between drain and commit counts from the capture on.
  subject.let_guest_write(*vm);
  const auto base = branch.seal();
  const auto at = check_snapshot(subject, base, 1);
  check_next(subject, *vm, branch, base, at + 1);
}

void fail_a_call(conformance_subject& subject, stage which, bool is_done) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto mode = best_mode(*vm, branch);
  const auto base = branch.take(mode);
  const auto at = check_snapshot(subject, base, 1);
  subject.let_guest_write(*vm);
  const bool is_tracked = vm->tracked_since() == base.root_hash;
  branch.plan(is_tracked ? branch_mode::diff : mode, base);
  if (!subject.break_next(which, is_done)) {
    REQUIRE(vm->stop(branch.soon()));
    return;
  }
  const auto done = branch.run_to(stage::resume);
  // A driver may see itself that the call was done after all.
  if (!done)
    CHECK(group_of(done.error().code) != ec_group::none);
  auto resumed = vm->resume(branch.soon());
  if (!resumed)
    resumed = vm->resume(branch.soon());
  REQUIRE(resumed);
  vm->abandon();
  check_guest_runs(subject, *vm);
  check_next(subject, *vm, branch, base, at + 1);
  REQUIRE(vm->stop(branch.soon()));
}

void fail_any_call(conformance_subject& subject) {
  for (const auto which : calls) {
    CAPTURE(to_string(which));
    fail_a_call(subject, which, false);
  }
}

void lose_any_answer(conformance_subject& subject) {
  for (const auto which : calls) {
    CAPTURE(to_string(which));
    fail_a_call(subject, which, true);
  }
}

void keep_deadline(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  branch.plan(best_mode(*vm, branch));
  REQUIRE(vm->prepare(branch.plan(best_mode(*vm, branch)), branch.soon()));
  if (!subject.hang_next(stage::pause)) {
    vm->abandon();
    return;
  }
  const auto until = subject.now() + std::chrono::milliseconds{100};
  CHECK_FALSE(vm->pause(until));
  CHECK(subject.now() < until + std::chrono::seconds{5});
  REQUIRE(vm->resume(branch.soon()));
  vm->abandon();
  check_guest_runs(subject, *vm);
}

void fill_sink(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto mode = best_mode(*vm, branch);
  const auto base = branch.take(mode);
  const auto at = check_snapshot(subject, base, 1);
  for (const auto& [room, is_foretold] : {std::pair{uint64_t{0}, true},
                                          {0, false},
                                          {3 * guest_page_bytes, false}}) {
    CAPTURE(room, is_foretold);
    subject.let_guest_write(*vm);
    const bool is_tracked = vm->tracked_since() == base.root_hash;
    branch.plan(is_tracked ? branch_mode::diff : mode, base);
    branch.memory().fail_after(room, is_foretold);
    const auto result = branch.run();
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ec::disk_full);
    REQUIRE(vm->resume(branch.soon()));
    vm->abandon();
    check_guest_runs(subject, *vm);
  }
  check_next(subject, *vm, branch, base, at + 1);
}

void keep_order(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  CHECK_FALSE(vm->drain(branch.soon()));
  CHECK_FALSE(vm->capture(branch.soon()));
  REQUIRE(vm->resume(branch.soon()));
  check_guest_runs(subject, *vm);
  const auto first = branch.take(best_mode(*vm, branch));
  CHECK_FALSE(vm->drain(branch.soon()));
  check_snapshot(subject, first, 1);
}

void cancel(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  auto& plan = branch.plan(best_mode(*vm, branch));
  plan.is_cancelled = [] { return true; };
  // Where nothing is copied before the pause nobody need ask.
  if (const auto prepared = vm->prepare(plan, branch.soon()); !prepared)
    CHECK(prepared.error().code == ec::cancelled);
  vm->abandon();
  check_guest_runs(subject, *vm);
  check_snapshot(subject, branch.take(best_mode(*vm, branch)), 1);
}

} // namespace

std::vector<conformance_case> failure_cases() {
  return {
    {"a capture can be given up anywhere", abandon_anywhere},
    {"what a diff took that was given up is in the next",
     abandon_diff_anywhere},
    {"changes count from a capture once it is committed", commit_late},
    {"a call that is refused harms nobody", fail_any_call},
    {"a call whose answer is lost harms nobody", lose_any_answer},
    {"a call ends at its deadline", keep_deadline},
    {"a full disk costs the snapshot, never the guest", fill_sink},
    {"calls out of their order are refused", keep_order},
    {"a branch that is cancelled leaves nothing", cancel},
  };
}

} // namespace forkfleet::test
