// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(joined_fixture,
                 "a branch goes to the node that holds the sandbox",
                 "[coordinator][operations]") {
  const auto got = branch("op-1", "t1", "s2");
  REQUIRE(asked("h2").size() == 1);
  CHECK(asked("h1").empty());
  CHECK(asked("h2")[0].request.epoch == 3);
  CHECK(asked("h2")[0].request.deadline == settings.deadline);
  CHECK(is_pending(got));
  finish("h2");
  REQUIRE(code_of(got) == ec::none);
  CHECK(got->value()->host == host_name{"h2"});
  CHECK(got->value()->memory_bytes == 4096);
}

TEST_CASE_METHOD(joined_fixture,
                 "a repeated id is branched once and told twice",
                 "[coordinator][operations][safety]") {
  const auto first = branch("op-1");
  const auto second = branch("op-1");
  CHECK(asked("h1").size() == 1);
  finish("h1", ec::vmm_gone);
  const auto third = branch("op-1");
  CHECK(asked("h1").size() == 1);
  for (const auto& got : {first, second, third}) {
    REQUIRE(code_of(got) == ec::none);
    CHECK(got->value()->outcome.code == ec::vmm_gone);
  }
}

TEST_CASE_METHOD(joined_fixture, "a sealed snapshot can be restored at once",
                 "[coordinator][operations]") {
  const auto got = branch("op-1");
  finish("h1");
  const auto restored = ask<restore_report>(
    restore_request{.operation = {"op-2"}, .tag = {"t1"}, .sandbox = {"c"}});
  REQUIRE(scripts["h1"]->restores.size() == 1);
  auto& asked_for = scripts["h1"]->restores[0];
  deliver(
    "h1", asked_for.promise,
    restore_report{.tag = {"t1"}, .sandbox = {.id = {"c"}, .parent = {"t1"}}});
  REQUIRE(code_of(restored) == ec::none);
  CHECK(restored->value()->sandbox.host == host_name{"h1"});
  branch("op-3", "t3", "c");
  CHECK(asked("h1").size() == 2);
}

TEST_CASE_METHOD(joined_fixture, "names are unique in the whole fleet",
                 "[coordinator][operations]") {
  CHECK(code_of(branch("op-1", "old", "s2")) == ec::snapshot_exists);
  const auto running = branch("op-2", "t2", "s2");
  CHECK(code_of(branch("op-3", "t2", "s1")) == ec::snapshot_exists);
  const auto child =
    restore_request{.operation = {"op-4"}, .tag = {"old"}, .sandbox = {"s2"}};
  CHECK(code_of(ask<restore_report>(child)) == ec::sandbox_exists);
  CHECK(is_pending(running));
}

TEST_CASE_METHOD(joined_fixture,
                 "what nobody has is unknown once all have told",
                 "[coordinator][operations]") {
  CHECK(code_of(branch("op-1", "t1", "nobody")) == ec::unknown_sandbox);
  CHECK(code_of(ask<restore_report>(restore_request{.tag = {"none"}}))
        == ec::unknown_snapshot);
  CHECK(code_of(ask<done>(stop_request{.sandbox = {"nobody"}}))
        == ec::unknown_sandbox);
  CHECK(code_of(ask<done>(remove_request{.tag = {"none"}}))
        == ec::unknown_snapshot);
  CHECK(status_of("op-none").state == operation_state::unknown);
}

TEST_CASE_METHOD(joined_fixture,
                 "an error of the node frees the id for another try",
                 "[coordinator][operations]") {
  const auto refused = branch("op-1");
  deliver("h1", asked("h1")[0].promise, to_caf_error(ec::node_busy, "no slot"));
  CHECK(code_of(refused) == ec::node_busy);
  const auto retried = branch("op-1");
  REQUIRE(asked("h1").size() == 2);
  finish("h1");
  CHECK(code_of(retried) == ec::none);
}

TEST_CASE_METHOD(joined_fixture,
                 "a lost node ends its requests at once, unknown",
                 "[coordinator][operations][safety]") {
  const auto hit = branch("op-1", "t1", "s1");
  const auto spared = branch("op-2", "t2", "s2");
  w.kill(nodes["h1"]);
  w.run();
  CHECK(code_of(hit) == ec::node_down);
  CHECK(is_pending(spared));
  CHECK(status_of("op-1").state == operation_state::running);
  CHECK(code_of(branch("op-3", "t3", "s1")) == ec::node_down);
}

TEST_CASE_METHOD(joined_fixture,
                 "a node that is back tells how its branch ended",
                 "[coordinator][operations][safety]") {
  const auto lost = branch("op-1");
  const auto request = asked("h1")[0].request;
  w.kill(nodes["h1"]);
  w.run();
  join("h1", 2,
       {.operations = {{.operation = {"op-1"},
                        .state = operation_state::ended,
                        .report = report(request, ec::interrupted)}}});
  CHECK(code_of(lost) == ec::node_down);
  CHECK(status_of("op-1").state == operation_state::ended);
  CHECK(status_of("op-1").report.outcome.code == ec::interrupted);
  const auto again = branch("op-1");
  REQUIRE(code_of(again) == ec::none);
  CHECK(again->value()->outcome.code == ec::interrupted);
}

TEST_CASE_METHOD(joined_fixture, "requests are checked and their gaps filled",
                 "[coordinator][operations]") {
  CHECK(code_of(branch("../op")) == ec::invalid_request);
  CHECK(code_of(branch("op-1", "a/b")) == ec::invalid_request);
  CHECK(code_of(ask<operation_status>(operation_query{}))
        == ec::invalid_request);
  ask<branch_report>(branch_request{.sandbox = {"s1"}});
  REQUIRE(asked("h1").size() == 1);
  const auto& request = asked("h1")[0].request;
  CHECK(request.operation.value.starts_with("op-"));
  CHECK(is_valid(request.operation));
  CHECK(request.tag.value.starts_with("s1-"));
}

TEST_CASE_METHOD(joined_fixture, "a client that vanished changes nothing",
                 "[coordinator][operations]") {
  w.ask<branch_report>(
    coordinator_actor{unit}, 100ms,
    branch_request{.operation = {"op-1"}, .sandbox = {"s1"}, .tag = {"t1"}});
  w.run();
  w.advance(1s);
  finish("h1");
  CHECK(status_of("op-1").state == operation_state::ended);
  CHECK(code_of(branch("op-1")) == ec::none);
}

TEST_CASE("the coordinator keeps its limits", "[coordinator][operations]") {
  auto world = coordinator_fixture{};
  world.settings.operations_open_max = 2;
  world.settings.waiters_max = 2;
  world.settings.errands_max = 1;
  world.start();
  world.join_all();
  const auto first = world.branch("op-1", "t1");
  const auto second = world.branch("op-1", "t1");
  CHECK(code_of(world.branch("op-1", "t1")) == ec::node_busy);
  world.branch("op-2", "t2");
  CHECK(code_of(world.branch("op-3", "t3")) == ec::node_busy);
  world.ask<done>(stop_request{.sandbox = {"s1"}});
  CHECK(code_of(world.ask<done>(stop_request{.sandbox = {"s2"}}))
        == ec::node_busy);
}

TEST_CASE_METHOD(joined_fixture, "a late error of an older attempt is void",
                 "[coordinator][operations][safety]") {
  const auto first = branch("op-1");
  REQUIRE(hello({.host = {"h1"}, .incarnation = 1}));
  const auto second = branch("op-1");
  REQUIRE(asked("h1").size() == 2);
  deliver("h1", asked("h1")[0].promise, to_caf_error(ec::node_busy, "late"));
  CHECK(is_pending(first));
  CHECK(is_pending(second));
  finish("h1");
  CHECK(code_of(first) == ec::none);
  CHECK(code_of(second) == ec::none);
}
