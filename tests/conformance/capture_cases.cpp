// SPDX-License-Identifier: Apache-2.0
// Snapshots are right, whatever was taken before them.
#include <catch2/catch.hpp>

#include "tests/conformance/capturing.hpp"
#include "tests/conformance/cases.hpp"

namespace forkfleet::test {

namespace {

vmm_capabilities allowed(vmm& vm, const capturing& branch) {
  const auto result = vm.capabilities(branch.soon());
  REQUIRE(result);
  return *result;
}

void tell_why_not(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto can = allowed(*vm, branch);
  CHECK(can.full == can.full_obstacle.empty());
  CHECK(can.diff == can.diff_obstacle.empty());
  CHECK(can.live == can.live_obstacle.empty());
  CHECK((can.full || can.live));
}

void refuse_what_it_cannot(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto can = allowed(*vm, branch);
  for (const auto& [mode, is_allowed] : {std::pair{branch_mode::full, can.full},
                                         {branch_mode::live, can.live}}) {
    CAPTURE(schema::name_of(mode));
    const auto estimate = vm->estimate(branch.plan(mode), branch.soon());
    CHECK(estimate.has_value() == is_allowed);
    if (!estimate)
      CHECK(estimate.error().code == ec::unsupported);
  }
  check_guest_runs(subject, *vm);
}

void take_full(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).full)
    return;
  const auto least = subject.progress_of(*vm).value_or(0);
  const auto first = branch.take(branch_mode::full);
  const auto at = check_snapshot(subject, first, least);
  check_guest_runs(subject, *vm);
  const auto later =
    check_snapshot(subject, branch.take(branch_mode::full), at + 1);
  // The first one is what it was. A real guest is heard a little late.
  CHECK(check_snapshot(subject, first, least) < later);
}

void take_live(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).live)
    return;
  const auto at = check_snapshot(subject, branch.take(branch_mode::live), 1);
  check_guest_runs(subject, *vm);
  check_snapshot(subject, branch.take(branch_mode::live), at + 1);
}

void take_chain(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).diff)
    return;
  auto last = branch.take(branch_mode::full);
  auto at = check_snapshot(subject, last, 1);
  for (int i = 0; i < 5; ++i) {
    CHECK(vm->tracked_since() == last.root_hash);
    subject.let_guest_write(*vm);
    last = branch.take(branch_mode::diff, last);
    at = check_snapshot(subject, last, at + 1);
  }
}

void write_little(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).diff)
    return;
  const auto base = branch.take(branch_mode::full);
  const auto all = vm->describe().memory_bytes;
  subject.let_guest_write(*vm);
  branch.take(branch_mode::diff, base);
  CHECK(branch.memory().pages() > 0);
  CHECK(branch.memory().written_bytes() < all / 4);
}

void end_chain_with_full(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).diff)
    return;
  auto last = branch.take(branch_mode::full);
  last = branch.take(branch_mode::diff, last);
  subject.let_guest_write(*vm);
  last = branch.take(branch_mode::full);
  auto at = check_snapshot(subject, last, 1);
  CHECK(vm->tracked_since() == last.root_hash);
  subject.let_guest_write(*vm);
  check_snapshot(subject, branch.take(branch_mode::diff, last), at + 1);
}

void refuse_wrong_base(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto can = allowed(*vm, branch);
  if (!can.diff || !can.diff_is_tracked)
    return;
  const auto base = branch.take(branch_mode::full);
  auto other = base;
  other.root_hash[0] = 'f';
  auto& plan = branch.plan(branch_mode::diff, other);
  CHECK(vm->estimate(plan, branch.soon()).error().code == ec::unsupported);
  CHECK(vm->prepare(plan, branch.soon()).error().code == ec::unsupported);
  vm->abandon();
  check_guest_runs(subject, *vm);
  check_snapshot(subject, branch.take(branch_mode::diff, base), 1);
}

void foretell(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto mode =
    allowed(*vm, branch).full ? branch_mode::full : branch_mode::live;
  const auto estimate = vm->estimate(branch.plan(mode), branch.soon());
  REQUIRE(estimate);
  CHECK_FALSE(estimate->method.empty());
  CHECK(estimate->bytes > 0);
  CHECK(estimate->bytes <= vm->describe().memory_bytes * 2);
  const auto first = vm->prepare(branch.plan(mode), branch.soon());
  REQUIRE(first);
  CHECK(first->residual_bytes <= vm->describe().memory_bytes);
  const auto refined = vm->refine(branch.soon());
  REQUIRE(refined);
  CHECK(refined->passes >= first->passes);
  REQUIRE(vm->pause(branch.soon()));
  REQUIRE(vm->capture(branch.soon()));
  REQUIRE(vm->resume(branch.soon()));
  REQUIRE(vm->drain(branch.soon()));
  check_snapshot(subject, branch.seal(), 1);
}

void learn(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).full)
    return;
  branch.take(branch_mode::full);
  const auto next = vm->prepare(branch.plan(branch_mode::full), branch.soon());
  REQUIRE(next);
  CHECK_FALSE(next->is_assumed);
  vm->abandon();
}

void tell_what_stood(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  if (!allowed(*vm, branch).full)
    return;
  // Nothing was prepared: the guest is not asked to stop.
  const auto until = branch.soon();
  const auto paused = vm->pause(until);
  CHECK(vm->resume(until));
  if (!paused)
    CHECK(vm->stood() == std::chrono::microseconds{0});
  const auto start = std::chrono::steady_clock::now();
  branch.plan(branch_mode::full);
  REQUIRE(branch.run());
  if (const auto stood = vm->stood())
    CHECK(*stood <= std::chrono::steady_clock::now() - start);
}

void stand_still(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto can = allowed(*vm, branch);
  branch.plan(can.full ? branch_mode::full : branch_mode::live);
  REQUIRE(branch.run_to(stage::pause));
  // A method that stops the guest by itself does so in capture.
  const auto health = vm->health(branch.soon());
  CHECK((health == vmm_health::paused || health == vmm_health::running));
  REQUIRE(vm->capture(branch.soon()));
  REQUIRE(vm->resume(branch.soon()));
  check_guest_runs(subject, *vm);
  REQUIRE(vm->drain(branch.soon()));
  check_snapshot(subject, branch.drained(), 1);
}

} // namespace

std::vector<conformance_case> capture_cases() {
  return {
    {"what it cannot do it says, and why", tell_why_not},
    {"what it cannot do is refused before it is tried", refuse_what_it_cannot},
    {"a full snapshot is of one instant", take_full},
    {"a live snapshot is of one instant", take_live},
    {"each diff over its base is of one instant", take_chain},
    {"a diff is small when little has changed", write_little},
    {"a full snapshot within a chain begins another", end_chain_with_full},
    {"a diff on another base is refused", refuse_wrong_base},
    {"what a capture comes to is foretold", foretell},
    {"a pause that was measured is no assumption any more", learn},
    {"a guest that was not asked to stop did not stand", tell_what_stood},
    {"the guest runs again before anything is drained", stand_still},
  };
}

std::vector<conformance_case> conformance_cases() {
  auto all = capture_cases();
  for (auto* more : {&failure_cases, &life_cases})
    for (auto& each : more())
      all.push_back(std::move(each));
  return all;
}

} // namespace forkfleet::test
