// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "node/node_work.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

template <class T>
ec code_of(const expected<T>& x) {
  return x ? x->outcome.code : x.error().code;
}

/// A node with the sandbox s1, a snapshot op-1 of it, and a child of that.
struct switch_fixture : node_fixture {
  switch_fixture() {
    start();
    REQUIRE(branch("op-1"));
    REQUIRE(restore("op-c", "op-1", "child"));
  }
  ~switch_fixture() { ::unsetenv(fault_variable); }

  rollback_request back(const std::string& operation = "op-back") const {
    return {.operation = {operation},
            .sandbox = {"s1"},
            .tag = {"op-1"},
            .epoch = script->epoch};
  }
  promote_request up(const std::string& operation = "op-up") const {
    return {
      .operation = {operation}, .sandbox = {"child"}, .epoch = script->epoch};
  }
  expected<restore_report> rollback() { return ask<restore_report>(back()); }
  expected<restore_report> promote() { return ask<restore_report>(up()); }
  bool has_event(const std::string& kind) const {
    return std::ranges::count(script->events, kind, &fleet_event::kind) > 0;
  }
  /// Simulated VMs that run, by the place of their record.
  std::map<std::string, simulated_machine_ptr> machines() {
    std::map<std::string, simulated_machine_ptr> result;
    for (const auto& x : place.records())
      if (auto vm = place.machine(place_of(x).value))
        result[place_of(x).value] = vm;
    return result;
  }
  /// One record and one VM for each name, and nothing else.
  void check_whole(const std::vector<std::string>& names) {
    std::vector<std::string> found;
    for (const auto& x : place.records()) {
      found.push_back(x.id.value);
      CHECK_FALSE(x.is_unfinished);
      CHECK(place.machine(place_of(x).value));
    }
    std::sort(found.begin(), found.end());
    CHECK(found == names);
    CHECK(place.running_vms() == names.size());
    for (const auto& name : names)
      CHECK(info(name).state == sandbox_state::running);
    CHECK(state().sandboxes.size() == names.size());
  }
};

} // namespace

TEST_CASE_METHOD(switch_fixture, "a sandbox goes back, with name and lineage",
                 "[node][node_switch]") {
  const auto before = machines();
  const auto report = rollback();
  REQUIRE(code_of(report) == ec::none);
  CHECK(report->sandbox.parent.value == "op-1");
  CHECK(report->sandbox.origin == sandbox_origin::declared);
  CHECK(report->sandbox.switched_by.value == "op-back");
  check_whole({"child", "s1"});
  CHECK(before.at("s1")->health() == vmm_health::gone);
  CHECK(has_event("sandbox.rolled_back"));
  // It can be branched, and goes on over the node's death.
  const auto next = branch("op-2");
  REQUIRE(code_of(next) == ec::none);
  CHECK(state().snapshots.at({"op-2"}).parent.value == "op-1");
  restart();
  check_whole({"child", "s1"});
  CHECK(info("s1").parent.value == "op-1");
  CHECK(info("child").parent.value == "op-1");
}

TEST_CASE_METHOD(switch_fixture, "a rollback asked again is done once",
                 "[node][node_switch]") {
  const auto first = ask_later<restore_report>(back());
  const auto second = ask_later<restore_report>(back());
  w.run();
  REQUIRE((first->has_value() && second->has_value()));
  CHECK(code_of(first->value()) == ec::none);
  CHECK(code_of(second->value()) == ec::none);
  restart();
  CHECK(code_of(rollback()) == ec::none);
  CHECK(place.records().size() == 2);
  CHECK(place.records()[1].life == 1);
}

TEST_CASE_METHOD(switch_fixture, "a rollback that fails leaves all as it was",
                 "[node][node_switch][safety]") {
  const auto before = machines();
  ::setenv(fault_variable, "fail:switch.started", 1);
  CHECK(code_of(rollback()) == ec::io_failed);
  ::unsetenv(fault_variable);
  check_whole({"child", "s1"});
  CHECK(machines() == before);
  CHECK(info("s1").parent.empty());
  CHECK_FALSE(has_event("sandbox.rolled_back"));
  CHECK(code_of(branch("op-2")) == ec::none);
}

TEST_CASE_METHOD(switch_fixture, "what stands against a rollback is told",
                 "[node][node_switch]") {
  auto asked = back();
  asked.tag = {"none"};
  CHECK(code_of(ask<restore_report>(asked)) == ec::unknown_snapshot);
  asked = back();
  asked.sandbox = {"none"};
  CHECK(code_of(ask<restore_report>(asked)) == ec::unknown_sandbox);
  REQUIRE(branch("op-2", "child"));
  asked = back();
  asked.tag = {"op-2"};
  CHECK(code_of(ask<restore_report>(asked)) == ec::invalid_request);
  asked.force = true;
  CHECK(code_of(ask<restore_report>(asked)) == ec::none);
  CHECK(info("s1").parent.value == "op-2");
}

TEST_CASE_METHOD(switch_fixture, "a busy sandbox is not replaced",
                 "[node][node_switch][safety]") {
  const auto branching = ask_later<branch_report>(request("op-2"));
  while (state().orders.empty() && w.run_one())
    continue;
  const auto refused = ask_later<restore_report>(back());
  const auto other = ask_later<restore_report>(up());
  w.run();
  CHECK(code_of(refused->value()) == ec::branch_in_progress);
  CHECK(code_of(other->value()) == ec::branch_in_progress);
  CHECK(code_of(branching->value()) == ec::none);
  // Nor is one branched or stopped that is being replaced.
  const auto going = ask_later<restore_report>(back("op-3"));
  while (state().switches.running.empty() && w.run_one())
    continue;
  const auto late = ask_later<branch_report>(request("op-4"));
  const auto stopping =
    ask_later<done>(stop_request{.sandbox = {"s1"}, .epoch = script->epoch});
  w.run();
  CHECK(code_of(going->value()) == ec::none);
  CHECK(code_of(late->value()) == ec::not_ready);
  CHECK(stopping->value().error().code == ec::not_ready);
}

TEST_CASE_METHOD(switch_fixture, "a child takes its source's name",
                 "[node][node_switch]") {
  const auto before = machines();
  const auto report = promote();
  REQUIRE(code_of(report) == ec::none);
  CHECK(report->sandbox.id.value == "s1");
  check_whole({"s1"});
  CHECK(before.at("s1")->health() == vmm_health::gone);
  CHECK(before.at("child")->health() == vmm_health::running);
  CHECK(has_event("sandbox.promoted"));
  CHECK(info("s1").parent.value == "op-1");
  CHECK(state().snapshots.contains({"op-1"}));
  // The child's name is free, though a VM lies where it suggests.
  REQUIRE(code_of(restore("op-d", "op-1", "child")) == ec::none);
  check_whole({"child", "s1"});
  CHECK(code_of(branch("op-2")) == ec::none);
  restart();
  check_whole({"child", "s1"});
  CHECK(before.at("child")->health() == vmm_health::running);
  CHECK(info("s1").switched_by.value == "op-up");
  CHECK(code_of(promote()) == ec::none); // the same operation again
  CHECK(code_of(ask<restore_report>(up("op-up-2"))) == ec::none);
  check_whole({"s1"});
  auto again = up("op-up-3");
  again.sandbox = {"s1"};
  CHECK(code_of(ask<restore_report>(again)) == ec::invalid_request);
}

TEST_CASE_METHOD(switch_fixture, "a child whose source is gone takes the name",
                 "[node][node_switch]") {
  REQUIRE(stop("s1"));
  REQUIRE(code_of(promote()) == ec::none);
  check_whole({"s1"});
}

TEST_CASE_METHOD(switch_fixture, "a promotion that fails leaves both",
                 "[node][node_switch][safety]") {
  const auto before = machines();
  ::setenv(fault_variable, "fail:switch.started", 1);
  CHECK(code_of(promote()) == ec::io_failed);
  ::unsetenv(fault_variable);
  check_whole({"child", "s1"});
  CHECK(machines() == before);
  CHECK(code_of(branch("op-2", "child")) == ec::none);
  CHECK(code_of(branch("op-3")) == ec::none);
}

TEST_CASE("a node killed anywhere in a switch leaves each name exactly once",
          "[node][node_switch][safety][property]") {
  const bool is_promotion = GENERATE(false, true);
  const auto steps = GENERATE(range(0, 40));
  CAPTURE(is_promotion, steps);
  switch_fixture f;
  const auto child = f.machines().at("child");
  if (is_promotion)
    f.ask_later<restore_report>(f.up());
  else
    f.ask_later<restore_report>(f.back());
  for (int i = 0; i < steps && f.w.run_one(); ++i)
    continue;
  f.restart();
  const bool is_child_there = f.state().sandboxes.contains({"child"});
  f.check_whole(is_child_there ? std::vector<std::string>{"child", "s1"}
                               : std::vector<std::string>{"s1"});
  CHECK(child->health() == vmm_health::running);
  CHECK((is_promotion || is_child_there));
}
