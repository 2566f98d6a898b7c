// SPDX-License-Identifier: Apache-2.0
// Single stories of a fleet, each with one thing that goes wrong.
#include <catch2/catch.hpp>

#include "tests/support/invariants.hpp"
#include "tests/support/quiet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct fleet_fixture {
  quiet silence;
  simulated_fleet fleet{1, {.hosts = 1, .sandboxes_per_host = 1}};
  connection_ptr line;

  fleet_fixture() {
    fleet.start_coordinator();
    fleet.start_node(0);
    fleet.w.advance(2s);
  }
  ~fleet_fixture() {
    CHECK(check_moment(fleet) == all_holds);
    CHECK(check_lineage(fleet) == all_holds);
  }

  answer<branch_report> send(const std::string& operation) {
    return fleet.w.ask<branch_report>(
      fleet.dial(line), 10s,
      branch_request{.operation = {operation},
                     .sandbox = {"h1-s1"},
                     .tag = {"tag-" + operation}});
  }
  expected<branch_report> branch(const std::string& operation) {
    const auto got = send(operation);
    fleet.w.advance(11s);
    REQUIRE(got->has_value());
    return got->value();
  }
  operation_status find(const std::string& operation) {
    const auto got = fleet.w.ask<operation_status>(
      fleet.dial(line), 5s, operation_query{{operation}});
    fleet.w.advance(6s);
    REQUIRE((got->has_value() && got->value()));
    return *got->value();
  }
  simulated_machine& machine() { return *fleet.machine_of({"h1-s1"}); }
  simulated_disk& disk() { return *fleet.nodes[0].disk; }
  simulated_faults& faults() { return *fleet.nodes[0].faults; }
};

} // namespace

TEST_CASE_METHOD(fleet_fixture, "a branch is sealed, and a child counts on",
                 "[simulation][scenario]") {
  const auto report = branch("op-1");
  REQUIRE(report);
  CHECK_FALSE(report->outcome);
  CHECK(report->stages.size() == 8);
  CHECK(check_report(*report) == all_holds);
  REQUIRE(disk().sealed.contains({"tag-op-1"}));
  const auto child = fleet.w.ask<restore_report>(
    fleet.dial(line), 10s,
    restore_request{
      .operation = {"op-2"}, .tag = {"tag-op-1"}, .sandbox = {"child"}});
  fleet.w.advance(1s);
  REQUIRE((child->has_value() && child->value()));
  CHECK_FALSE(child->value()->outcome);
  const auto now = fleet.w.now();
  const auto ahead =
    machine().image(now).tick - fleet.machine_of({"child"})->image(now).tick;
  CHECK(ahead > 10000); // the seconds since the branch point
}

TEST_CASE_METHOD(fleet_fixture,
                 "a node killed at any stage leaves a guest "
                 "that runs and one ending",
                 "[simulation][scenario][safety]") {
  const auto where = GENERATE(stage::track, stage::pause, stage::capture,
                              stage::resume, stage::drain);
  const auto when =
    GENERATE(simulated_trouble::crash_before, simulated_trouble::crash_after);
  CAPTURE(to_string(where), static_cast<int>(when));
  faults().add(where, {when});
  const auto lost = branch("op-1");
  REQUIRE_FALSE(lost);
  CHECK(group_of(lost.error().code) == ec_group::unknown);
  fleet.start_node(0);
  fleet.w.advance(2s);
  CHECK(machine().health() == vmm_health::running);
  CHECK(check_disks(fleet) == all_holds);
  CHECK(disk().sealed.empty());
  CHECK(find("op-1").state == operation_state::ended);
  CHECK(find("op-1").report.outcome.code == ec::interrupted);
  const auto next = branch("op-2");
  CHECK((next && !next->outcome));
}

TEST_CASE_METHOD(fleet_fixture,
                 "a node killed around a durable step tells "
                 "what is on its disk",
                 "[simulation][scenario][safety]") {
  const auto* place = GENERATE("journal.open", "stage", "journal.mark_pause",
                               "seal", "journal.close");
  const auto when =
    GENERATE(disk_trouble::crash_before, disk_trouble::crash_after);
  CAPTURE(place, static_cast<int>(when));
  fleet.disk_plan[place] = when;
  REQUIRE_FALSE(branch("op-1"));
  fleet.start_node(0);
  fleet.w.advance(2s);
  CHECK(machine().health() == vmm_health::running);
  CHECK(check_disks(fleet) == all_holds);
  const auto told = find("op-1");
  const bool has_begun = fleet.has_begun({"op-1"});
  CHECK((told.state == operation_state::ended) == has_begun);
  const bool is_sealed = disk().sealed.contains({"tag-op-1"});
  CHECK(is_sealed == (has_begun && !told.report.outcome));
}

TEST_CASE_METHOD(fleet_fixture,
                 "a new coordinator tells what became of a "
                 "branch",
                 "[simulation][scenario][safety]") {
  fleet.weather->delay_percent = 100;
  const auto lost = send("op-1");
  fleet.w.advance(100ms);
  fleet.kill_coordinator();
  fleet.w.advance(1s);
  fleet.start_coordinator();
  fleet.w.advance(11s);
  CHECK(find("op-1").state == operation_state::ended);
  const auto again = branch("op-1");
  CHECK((again && !again->outcome));
  CHECK(machine().pauses() == 1);
}

TEST_CASE_METHOD(fleet_fixture, "a repeated operation pauses its guest once",
                 "[simulation][scenario][safety]") {
  fleet.weather->double_percent = 100;
  for (int i = 0; i < 3; ++i) {
    const auto report = branch("op-1");
    CHECK((report && !report->outcome));
  }
  fleet.kill_node(0);
  fleet.start_node(0);
  fleet.w.advance(3s);
  CHECK(branch("op-1"));
  CHECK(machine().pauses() == 1);
}

TEST_CASE_METHOD(fleet_fixture, "a child of a chain goes on from one instant",
                 "[simulation][scenario][safety]") {
  for (uint64_t i = 0; i < 5; ++i) {
    const auto name = "op-" + std::to_string(i);
    REQUIRE_FALSE(branch(name)->outcome);
    CHECK(disk().depth_of(disk().sealed.at({"tag-" + name}).files) == i);
  }
  CHECK(check_disks(fleet) == all_holds);
  const auto child = fleet.w.ask<restore_report>(
    fleet.dial(line), 10s,
    restore_request{
      .operation = {"op-8"}, .tag = {"tag-op-4"}, .sandbox = {"child"}});
  fleet.w.advance(1s);
  REQUIRE((child->has_value() && child->value()));
  REQUIRE_FALSE(child->value()->outcome);
  const auto of_child = fleet.w.ask<branch_report>(
    fleet.dial(line), 10s,
    branch_request{.operation = {"op-9"}, .sandbox = {"child"}, .tag = {"c"}});
  fleet.w.advance(1s);
  REQUIRE((of_child->has_value() && of_child->value()));
  CHECK((*of_child)->value().base.value == "tag-op-4");
  CHECK(check_disks(fleet) == all_holds);
}

TEST_CASE_METHOD(fleet_fixture, "after its node's death a guest is taken whole",
                 "[simulation][scenario][safety]") {
  REQUIRE_FALSE(branch("op-1")->outcome);
  CHECK(branch("op-2")->mode == branch_mode::diff);
  fleet.kill_node(0);
  fleet.start_node(0);
  fleet.w.advance(2s);
  const auto whole = branch("op-3");
  REQUIRE(whole);
  CHECK(whole->mode == branch_mode::full);
  CHECK(whole->reason.starts_with("not diff: "));
  CHECK(branch("op-4")->base.value == "tag-op-3");
}

TEST_CASE_METHOD(fleet_fixture,
                 "ten branches of one sandbox all have their "
                 "turn",
                 "[simulation][scenario]") {
  auto all = std::vector<answer<branch_report>>{};
  for (int i = 0; i < 10; ++i)
    all.push_back(send("op-" + std::to_string(i)));
  fleet.w.advance(11s);
  for (const auto& x : all) {
    REQUIRE((x->has_value() && x->value()));
    CHECK_FALSE((*x)->value().outcome);
  }
  CHECK(machine().pauses() == 10);
  CHECK(disk().sealed.size() == 10);
}

TEST_CASE_METHOD(fleet_fixture,
                 "a branch cancelled in any stage leaves its "
                 "guest running and nothing else",
                 "[simulation][scenario][safety]") {
  const auto where = GENERATE(stage::track, stage::pause, stage::capture,
                              stage::resume, stage::drain);
  CAPTURE(to_string(where));
  REQUIRE_FALSE(branch("op-0")->outcome);
  const auto before = machine().pauses();
  faults().set_chance([this, where](stage x) {
    if (x == where)
      for (const auto& [id, order] : fleet.node_state_now(0).orders)
        CHECK(order.cancel->ask());
    return simulated_fault{};
  });
  const auto report = branch("op-1");
  REQUIRE(report);
  CHECK(report->outcome.code == ec::cancelled);
  CHECK(machine().health() == vmm_health::running);
  CHECK(machine().pauses() - before == (where == stage::track ? 0 : 1));
  CHECK(check_disks(fleet) == all_holds);
  CHECK(disk().sealed.size() == 1);
  faults().set_chance({});
  CHECK(find("op-1").report.outcome.code == ec::cancelled);
  const auto next = branch("op-2");
  CHECK((next && !next->outcome));
}

TEST_CASE_METHOD(fleet_fixture, "a full disk ends a branch before its pause",
                 "[simulation][scenario][safety]") {
  disk().capacity_bytes = 4096;
  const auto report = branch("op-1");
  REQUIRE(report);
  CHECK(report->outcome.code == ec::disk_full);
  CHECK(report->missing_bytes == fleet.shape.memory_bytes - 4096);
  CHECK(machine().pauses() == 0);
}

TEST_CASE_METHOD(fleet_fixture, "a host that lost its power starts anew",
                 "[simulation][scenario]") {
  const auto report = branch("op-1");
  fleet.lose_power(0);
  fleet.w.advance(5s);
  fleet.start_node(0);
  fleet.w.advance(3s);
  CHECK(machine().health() == vmm_health::running);
  CHECK(find("op-1").report.root_hash == report->root_hash);
  CHECK(disk().sealed.contains({"tag-op-1"}));
}

TEST_CASE_METHOD(fleet_fixture,
                 "a silent cut ends requests within the node "
                 "timeout",
                 "[simulation][scenario]") {
  fleet.weather->delay_percent = 100;
  const auto waiting = send("op-1");
  fleet.w.advance(10ms);
  fleet.cut(0);
  fleet.w.advance(6s);
  REQUIRE(waiting->has_value());
  fleet.w.advance(10s);
  const auto again = branch("op-1");
  CHECK((again && !again->outcome));
  CHECK(machine().pauses() == 1);
}

TEST_CASE("the simulation sees a torn snapshot",
          "[simulation][scenario][safety]") {
  const auto silence = quiet{};
  auto fleet = simulated_fleet{1, {.hosts = 1, .sandboxes_per_host = 1}};
  fleet.start_coordinator();
  fleet.start_node(0);
  fleet.w.advance(2s);
  fleet.nodes[0].faults->add(stage::drain, {simulated_trouble::tear});
  fleet.nodes[0].faults->takes(stage::drain, 50ms);
  auto line = connection_ptr{};
  fleet.w.ask<branch_report>(
    fleet.dial(line), 10s,
    branch_request{.operation = {"op-1"}, .sandbox = {"h1-s1"}, .tag = {"t1"}});
  fleet.w.advance(5s);
  CHECK(check_moment(fleet).find("not whole") != std::string::npos);
}

TEST_CASE("the simulation sees an operation with two endings",
          "[simulation][scenario][safety]") {
  auto known = endings{};
  const auto first = branch_report{.operation = {"op-1"}};
  auto second = first;
  second.outcome = {ec::interrupted, "killed"};
  CHECK(known.add(first) == all_holds);
  CHECK(known.add(first) == all_holds);
  CHECK(known.add(second) != all_holds);
}
