// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.hpp"

#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(coordinator_fixture, "a new coordinator is not ready to deny",
                 "[coordinator][coordinator][safety]") {
  start();
  CHECK(code_of(branch("op-1")) == ec::not_ready);
  CHECK(code_of(ask<operation_status>(operation_query{{"op-1"}}))
        == ec::not_ready);
  join("h1", 1, {.sandboxes = {{.id = {"s1"}}}});
  // The tag may lie on h2, which has not told yet.
  CHECK(code_of(branch("op-1")) == ec::not_ready);
  join("h2");
  CHECK(is_pending(branch("op-1")));
}

TEST_CASE_METHOD(coordinator_fixture, "a host that stays away is not awaited",
                 "[coordinator][coordinator]") {
  start();
  join("h1", 1, {.sandboxes = {{.id = {"s1"}}}});
  for (int second = 0; second < 10; ++second) {
    w.advance(1s);
    beat("h1");
  }
  CHECK(is_pending(branch("op-1")));
  CHECK(code_of(branch("op-2", "t2", "nobody")) == ec::unknown_sandbox);
}

TEST_CASE_METHOD(coordinator_fixture, "a restarted coordinator learns it all",
                 "[coordinator][coordinator]") {
  start();
  join("h1", 9,
       {.sandboxes = {{.id = {"s1"}}},
        .snapshots = {{.tag = {"snap"}}},
        .operations = {{.operation = {"op-1"},
                        .state = operation_state::ended,
                        .report = {.sandbox = {"s1"}, .tag = {"snap"}}}}});
  join("h2");
  CHECK(status_of("op-1").state == operation_state::ended);
  const auto repeated = branch("op-1", "snap");
  REQUIRE(code_of(repeated) == ec::none);
  CHECK(repeated->value()->host == host_name{"h1"});
  CHECK(scripts["h1"]->branches.empty());
}
