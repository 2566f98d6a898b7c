// SPDX-License-Identifier: Apache-2.0
#include "node/branch_run.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/support/branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct branch_fixture : branching_world {
  branch_fixture() { start_source(); }

  bool is_running() { return machine().health() == vmm_health::running; }

  bool nothing_is_left() { return store().recover().empty(); }
};

std::vector<stage> stages_of(const branch_report& report) {
  auto result = std::vector<stage>{};
  for (const auto& timing : report.stages)
    result.push_back(timing.which);
  return result;
}

} // namespace

TEST_CASE_METHOD(branch_fixture, "a report lists every stage in order",
                 "[node][branch_run]") {
  const auto [report, snapshot] = branch(request("op-1"));
  CHECK(report.outcome == failure{});
  CHECK(stages_of(report)
        == std::vector{stage::admit, stage::reserve, stage::track, stage::pause,
                       stage::capture, stage::resume, stage::drain,
                       stage::seal});
  CHECK(snapshot.tag.value == "op-1");
  CHECK(snapshot.root_hash == report.root_hash);
  CHECK(report.reserve == reserve_outcome::reserved);
  CHECK(machine().pauses() == 1);
}

TEST_CASE_METHOD(branch_fixture, "times are those that the VM took",
                 "[node][branch_run]") {
  faults().takes(stage::pause, 3ms);
  faults().takes(stage::capture, 12ms);
  faults().takes(stage::resume, 1ms);
  const auto report = branch(request("op-1")).report;
  CHECK(report.stages[4].elapsed == 12ms);
  CHECK(report.pause == 16ms);
  CHECK(report.total >= report.pause);
}

TEST_CASE_METHOD(branch_fixture, "whichever stage fails, the guest runs on",
                 "[node][branch_run][safety]") {
  const auto broken = GENERATE(stage::track, stage::pause, stage::capture,
                               stage::resume, stage::drain);
  const auto trouble =
    GENERATE(simulated_trouble::refuse, simulated_trouble::lose_answer);
  CAPTURE(broken, trouble);
  faults().add(broken, {trouble, ec::vmm_refused});
  const auto [report, snapshot] = branch(request("op-1"));
  CHECK(is_running());
  if (report.outcome) {
    CHECK(snapshot.tag.empty());
    CHECK(store().list().empty());
    CHECK(nothing_is_left());
  }
  CHECK(branch(request("op-2")).report.outcome == failure{});
}

TEST_CASE_METHOD(branch_fixture, "a guest that stays paused is never hidden",
                 "[node][branch_run][safety]") {
  faults().add(stage::capture, {simulated_trouble::refuse, ec::io_failed});
  faults().add(stage::resume, {simulated_trouble::stick});
  const auto report = branch(request("op-1")).report;
  CHECK(report.outcome.code == ec::guest_stuck);
}

TEST_CASE_METHOD(branch_fixture, "what cannot be reserved stops no guest",
                 "[node][branch_run][safety]") {
  REQUIRE_FALSE(branch(request("op-1")).report.outcome);
  auto same_tag = request("op-2");
  same_tag.tag = {"op-1"};
  const auto report = branch(same_tag).report;
  CHECK(report.outcome.code == ec::snapshot_exists);
  CHECK(report.pause == 0us);
  CHECK(machine().pauses() == 1);
}

TEST_CASE_METHOD(branch_fixture, "a deadline that passes stops no guest",
                 "[node][branch_run][safety]") {
  faults().takes(stage::track, 5s);
  auto hasty = request("op-1");
  hasty.deadline = 1s;
  const auto report = branch(hasty).report;
  CHECK(report.outcome.code == ec::deadline_exceeded);
  CHECK(machine().pauses() == 0);
  CHECK(nothing_is_left());
}

TEST_CASE_METHOD(branch_fixture, "nothing is told in the pause window",
                 "[node][branch_run]") {
  REQUIRE_FALSE(branch(request("op-1")).report.outcome);
  auto kinds = std::vector<std::string>{};
  for (const auto& event : events)
    kinds.push_back(event.kind
                    + (event.stage.empty() ? "" : " " + event.stage));
  CHECK(kinds
        == std::vector<std::string>{
          "branch.started", "stage.ended admit", "stage.ended reserve",
          "stage.ended track", "stage.ended pause", "stage.ended capture",
          "stage.ended resume", "stage.ended drain", "stage.ended seal",
          "snapshot.sealed", "branch.ended"});
}

TEST_CASE_METHOD(branch_fixture, "the journal has the outcome that is told",
                 "[node][branch_run][safety]") {
  faults().add(stage::drain, {simulated_trouble::refuse, ec::io_failed});
  const auto failed = branch(request("op-1")).report;
  const auto sealed = branch(request("op-2")).report;
  auto problems = std::vector<std::string>{};
  const auto entries = journal().load(problems);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].ended);
  CHECK(entries[0].report == failed);
  CHECK(entries[1].report == sealed);
}

TEST_CASE_METHOD(branch_fixture, "a mode that the policy names is taken",
                 "[node][branch_run]") {
  policy.mode = branch_mode::full;
  CHECK(branch(request("op-1")).report.mode == branch_mode::full);
  auto live = request("op-2");
  live.mode = branch_mode::live;
  CHECK(branch(live).report.mode == branch_mode::live);
}
