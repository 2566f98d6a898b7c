// SPDX-License-Identifier: Apache-2.0
// The simulated driver against the conformance cases, under a time that only
// the driver moves.
#include <catch2/catch.hpp>

#include "node/simulated/simulated_driver.hpp"
#include "tests/conformance/cases.hpp"
#include "tests/conformance/flat_files.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

class simulated_subject : public conformance_subject {
public:
  vmm_driver& driver() override { return driver_; }

  start_plan plan() override {
    return {.id = {"vm"}, .spec = {.memory = {8 << 20}, .vcpus = 2}};
  }

  start_plan child_plan(const taken_snapshot& parent) override {
    auto result = plan();
    result.id = {"child"};
    result.snapshot = snapshot_files{
      .info = {.root_hash = parent.root_hash},
      .contract = parent.contract,
      .memory = write_chain(*parent.memory, home_.path() + "/memory"),
      .vmstate_path = parent.vmstate_path};
    return result;
  }

  std::string new_vmstate_path() override {
    return home_.path() + "/vmstate" + std::to_string(++files_);
  }

  void let_guest_write(vmm& vm) override {
    machine_of(vm).write(20, now_);
    now_ += 5ms;
  }

  expected<uint64_t> progress_of(const taken_snapshot& snapshot) override {
    const auto state = read_state(snapshot.vmstate_path);
    if (!state)
      return tl::unexpected(state.error());
    return read_guest(*snapshot.memory, *state).map([](const guest_image& x) {
      return x.tick;
    });
  }

  expected<uint64_t> progress_of(vmm& vm) override {
    return machine_of(vm).state(now_).tick;
  }

  bool break_next(stage which, bool is_done_all_the_same) override {
    faults_->add(which, {is_done_all_the_same ? simulated_trouble::lose_answer
                                              : simulated_trouble::refuse});
    return true;
  }

  bool hang_next(stage which) override {
    faults_->takes(which, 1h);
    return true;
  }

  void kill_vm(vmm& vm) override { machine_of(vm).end(); }
  deadline_point now() override { return now_; }

private:
  static simulated_machine& machine_of(vmm& vm) {
    return *dynamic_cast<simulated_vmm&>(vm).machine();
  }

  scratch_directory home_;
  int files_ = 0;
  deadline_point now_ = {};
  simulated_faults_ptr faults_ = std::make_shared<simulated_faults>();
  simulated_driver driver_{
    {.time = {.now = [this] { return now_; },
              .pass =
                [this](std::chrono::nanoseconds x) {
                  now_ +=
                    std::chrono::duration_cast<deadline_point::duration>(x);
                }},
     .faults = faults_}};
};

} // namespace

TEST_CASE("the simulated driver conforms", "[conformance][simulated][safety]") {
  for (const auto& each : conformance_cases())
    DYNAMIC_SECTION(each.name) {
      auto subject = simulated_subject{};
      each.run(subject);
    }
}
