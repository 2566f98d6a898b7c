// SPDX-License-Identifier: Apache-2.0
// A VM is started, found again, restored, and ended.
#include <catch2/catch.hpp>

#include "tests/conformance/capturing.hpp"
#include "tests/conformance/cases.hpp"

namespace forkfleet::test {

namespace {

branch_mode usual_mode(vmm& vm, const capturing& branch) {
  const auto can = vm.capabilities(branch.soon());
  REQUIRE(can);
  return can->full ? branch_mode::full : branch_mode::live;
}

void start_and_stop(conformance_subject& subject) {
  auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  CHECK(vm->health(branch.soon()) == vmm_health::running);
  CHECK(vm->describe().memory_bytes > 0);
  CHECK(vm->describe().vcpus > 0);
  CHECK(vm->contract().driver == subject.driver().name());
  CHECK(vm->contract().memory_bytes == vm->describe().memory_bytes);
  REQUIRE(vm->stop(branch.soon()));
  CHECK(vm->health(branch.soon()) == vmm_health::gone);
  CHECK(vm->resume(branch.soon()).error().code == ec::vmm_gone);
  CHECK(subject.driver().adopt(subject.plan(), branch.soon()).error().code
        == ec::vmm_gone);
}

void find_again(conformance_subject& subject) {
  auto vm = start_vm(subject);
  const auto pid = vm->describe().pid;
  auto branch = capturing{subject, *vm};
  const auto base = branch.take(usual_mode(*vm, branch));
  const auto at = check_snapshot(subject, base, 1);
  vm.reset(); // the node has died
  auto found = subject.driver().adopt(subject.plan(),
                                      subject.now() + std::chrono::seconds{20});
  INFO((found ? "found" : to_string(found.error())));
  REQUIRE(found);
  CHECK((*found)->describe().pid == pid);
  check_guest_runs(subject, **found);
  auto again = capturing{subject, **found};
  const bool is_tracked = (*found)->tracked_since() == base.root_hash;
  CHECK((is_tracked || (*found)->tracked_since().empty()));
  const auto next = is_tracked ? again.take(branch_mode::diff, base)
                               : again.take(usual_mode(**found, again));
  check_snapshot(subject, next, at + 1);
}

void find_in_pause(conformance_subject& subject) {
  for (const auto last : {stage::pause, stage::capture}) {
    CAPTURE(to_string(last));
    auto vm = start_vm(subject);
    auto branch = capturing{subject, *vm};
    const auto base = branch.take(usual_mode(*vm, branch));
    branch.plan(usual_mode(*vm, branch));
    REQUIRE(branch.run_to(last));
    vm.reset(); // the node has died
    auto found = subject.driver().adopt(subject.plan(), branch.soon());
    REQUIRE(found);
    REQUIRE((*found)->resume(branch.soon()));
    check_guest_runs(subject, **found);
    auto again = capturing{subject, **found};
    const bool is_tracked = !(*found)->tracked_since().empty();
    const auto next = is_tracked ? again.take(branch_mode::diff, base)
                                 : again.take(usual_mode(**found, again));
    check_snapshot(subject, next, 1);
    REQUIRE((*found)->stop(branch.soon()));
  }
}

void restore_child(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto parent = branch.take(usual_mode(*vm, branch));
  const auto at = check_snapshot(subject, parent, 1);
  auto child =
    subject.driver().start(subject.child_plan(parent), branch.soon());
  INFO((child ? "restored" : to_string(child.error())));
  REQUIRE(child);
  CHECK((*child)->describe().memory_bytes == vm->describe().memory_bytes);
  CHECK((*child)->describe().vcpus == vm->describe().vcpus);
  check_guest_runs(subject, **child);
  check_guest_runs(subject, *vm);
  // It goes on from where its parent stood.
  CHECK(subject.progress_of(**child).value_or(0) >= at);
  REQUIRE((*child)->stop(branch.soon()));
}

void branch_child(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  const auto parent = branch.take(usual_mode(*vm, branch));
  check_snapshot(subject, parent, 1);
  auto child =
    subject.driver().start(subject.child_plan(parent), branch.soon());
  REQUIRE(child);
  subject.let_guest_write(**child);
  auto of_child = capturing{subject, **child};
  // A child's changes are known from the start, or not at all.
  const auto since = (*child)->tracked_since();
  CHECK((since.empty() || since == parent.root_hash));
  const auto least = subject.progress_of(**child).value_or(0);
  const auto first = since.empty()
                       ? of_child.take(usual_mode(**child, of_child))
                       : of_child.take(branch_mode::diff, parent);
  check_snapshot(subject, first, least);
  // A guest may be heard late: how far a snapshot is, no two looks agree on.
  check_snapshot(subject, parent, 1);
  REQUIRE((*child)->stop(branch.soon()));
}

void die(conformance_subject& subject) {
  const auto vm = start_vm(subject);
  auto branch = capturing{subject, *vm};
  branch.plan(usual_mode(*vm, branch));
  REQUIRE(branch.run_to(stage::track));
  subject.kill_vm(*vm);
  CHECK_FALSE(vm->pause(branch.soon()));
  CHECK(vm->resume(branch.soon()).error().code == ec::vmm_gone);
  CHECK(vm->health(branch.soon()) == vmm_health::gone);
  vm->abandon();
  CHECK(subject.driver().adopt(subject.plan(), branch.soon()).error().code
        == ec::vmm_gone);
  CHECK(vm->stop(branch.soon()));
}

} // namespace

std::vector<conformance_case> life_cases() {
  return {
    {"a VM runs until it is stopped, and is gone then", start_and_stop},
    {"a VM is found again after the node's death", find_again},
    {"a VM whose node died in its pause runs again", find_in_pause},
    {"a child goes on where its parent stood", restore_child},
    {"a child's snapshots are right from the first", branch_child},
    {"a VM that dies in a branch is told gone", die},
  };
}

} // namespace forkfleet::test
