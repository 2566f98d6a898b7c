// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(joined_fixture, "an answer that was lost is asked for by id",
                 "[coordinator][queries][safety]") {
  const auto lost = branch("op-1");
  scripts["h1"]->known[{"op-1"}] = {.operation = {"op-1"},
                                    .state = operation_state::ended,
                                    .report = report(asked("h1")[0].request)};
  for (int second = 0; second < 13; ++second) {
    w.advance(1s);
    beat("h1");
    beat("h2");
  }
  CHECK(code_of(lost) == ec::deadline_exceeded);
  CHECK(status_of("op-1").state == operation_state::ended);
  CHECK_FALSE(scripts["h1"]->queries.empty());
}

TEST_CASE_METHOD(joined_fixture, "what never reached the node is forgotten",
                 "[coordinator][queries]") {
  branch("op-1");
  w.kill(nodes["h1"]);
  w.run();
  join("h1", 2, {.sandboxes = {{.id = {"s1"}}}});
  w.advance(1100ms);
  CHECK(status_of("op-1").state == operation_state::unknown);
  branch("op-1");
  CHECK(asked("h1").size() == 1);
}

TEST_CASE_METHOD(joined_fixture,
                 "a node on a new connection is asked for what it runs",
                 "[coordinator][queries][safety]") {
  const auto waiting = branch("op-1");
  const auto request = asked("h1")[0].request;
  scripts["h1"]->known[{"op-1"}] = {.operation = {"op-1"},
                                    .state = operation_state::ended,
                                    .report = report(request)};
  REQUIRE(hello({.host = {"h1"}, .incarnation = 1}));
  CHECK(is_pending(waiting));
  w.advance(1100ms);
  CHECK(code_of(waiting) == ec::none);
}
