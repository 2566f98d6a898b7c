// SPDX-License-Identifier: Apache-2.0
// The driver of QEMU against the conformance cases, with the example guest:
// it finds torn snapshots by itself when it goes on from them.
#include <csignal>
#include <filesystem>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/process.hpp"
#include "tests/conformance/cases.hpp"
#include "tests/conformance/flat_files.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

class qemu_subject : public conformance_subject {
public:
  vmm_driver& driver() override { return vms_.driver(); }
  start_plan plan() override { return vms_.plan("vm"); }

  start_plan child_plan(const taken_snapshot& parent) override {
    const auto name = "child" + std::to_string(++count_);
    auto result = vms_.plan(name);
    result.snapshot = snapshot_files{
      .info = {.tag = {"parent"},
               .root_hash = parent.root_hash,
               .origin = snapshot_origin::sealed},
      .contract = parent.contract,
      .memory = write_flat(*parent.memory, vms_.home() + "/" + name + ".bin"),
      .vmstate_path = parent.vmstate_path,
      .is_vouched = true};
    return result;
  }

  std::string new_vmstate_path() override {
    return vms_.home() + "/vmstate" + std::to_string(++count_);
  }

  void let_guest_write(vmm& vm) override {
    const auto watch = vm_fixture::watch(vm);
    CHECK(watch->wait_for_counter(watch->last()->counter + 20, soon()));
  }

  /// A child goes on from it, sweeps its memory, and says what it found.
  expected<uint64_t> progress_of(const taken_snapshot& snapshot) override {
    auto child = driver().start(child_plan(snapshot), soon());
    if (!child)
      return tl::unexpected(child.error());
    const auto watch = vm_fixture::watch(**child);
    const auto first = watch->first()->counter;
    const auto reached = watch->wait_for_counter(first + 300, soon());
    const auto state = watch->state();
    if (auto stopped = (*child)->stop(soon()); !stopped)
      return tl::unexpected(stopped.error());
    if (!reached)
      return tl::unexpected(reached.error());
    if (state.errors > 0)
      return fail(ec::snapshot_corrupt, state.first_error);
    return first;
  }

  expected<uint64_t> progress_of(vmm& vm) override {
    return vm_fixture::watch(vm)->last()->counter;
  }

  // A stock QEMU does what it is told.
  bool break_next(stage, bool) override { return false; }
  bool hang_next(stage) override { return false; }

  void kill_vm(vmm& vm) override {
    const auto pidfd = qemu::open_pid(static_cast<pid_t>(vm.describe().pid));
    qemu::send_signal(pidfd.get(), SIGKILL);
    REQUIRE(qemu::wait_for_end(pidfd.get(), soon()));
  }

  deadline_point now() override { return std::chrono::steady_clock::now(); }

private:
  vm_fixture vms_;
  int count_ = 0;
};

void run(const std::vector<conformance_case>& cases) {
  if (!vm_fixture{}.can_run())
    return;
  for (const auto& each : cases)
    DYNAMIC_SECTION(each.name) {
      auto subject = qemu_subject{};
      each.run(subject);
    }
}

} // namespace

TEST_CASE("the driver of QEMU takes right snapshots",
          "[conformance][qemu][safety]") {
  run(capture_cases());
}

TEST_CASE("the driver of QEMU survives failures",
          "[conformance][qemu][safety]") {
  run(failure_cases());
}

TEST_CASE("the driver of QEMU manages the life of a VM",
          "[conformance][qemu][safety]") {
  run(life_cases());
}
