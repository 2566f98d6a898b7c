// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(coordinator_fixture, "followers wait for events, not too long",
                 "[coordinator][listing]") {
  start();
  join_all();
  const auto latest =
    ask<event_list>(events_request{.from_now = true})->value()->latest;
  const auto waiting = ask<event_list>(
    events_request{.after = latest, .wait = milliseconds{999999}});
  const auto brief =
    ask<event_list>(events_request{.after = latest, .wait = 1s});
  CHECK(is_pending(waiting));
  w.advance(1500ms);
  REQUIRE_FALSE(is_pending(brief));
  CHECK(brief->value()->events.empty());
  ask<done>(node_events{
    .host = {"h1"}, .incarnation = 1, .events = {{.kind = "stage.ended"}}});
  REQUIRE_FALSE(is_pending(waiting));
  REQUIRE(waiting->value()->events.size() == 1);
  CHECK(waiting->value()->events[0].kind == "stage.ended");
  CHECK(waiting->value()->events[0].host == host_name{"h1"});
  const auto capped = ask<event_list>(events_request{
    .after = waiting->value()->latest, .wait = milliseconds{999999}});
  for (int second = 0; second < 31; ++second) {
    w.advance(1s);
    beat("h1");
    beat("h2");
  }
  CHECK_FALSE(is_pending(capped));
}

TEST_CASE_METHOD(coordinator_fixture, "followers are bounded",
                 "[coordinator][listing]") {
  settings.followers_max = 2;
  start();
  const auto wait = events_request{.wait = 1s};
  CHECK(is_pending(ask<event_list>(wait)));
  CHECK(is_pending(ask<event_list>(wait)));
  CHECK(code_of(ask<event_list>(wait)) == ec::node_busy);
}

TEST_CASE_METHOD(coordinator_fixture, "joins, losses and clashes are events",
                 "[coordinator][listing]") {
  start();
  join_all();
  REQUIRE(
    tell({.host = {"h2"}, .incarnation = 1, .sandboxes = {{.id = {"s1"}}}}));
  w.kill(nodes["h1"]);
  w.run();
  auto kinds = std::vector<std::string>{};
  const auto told = ask<event_list>(events_request{});
  for (const auto& event : told->value()->events)
    kinds.push_back(event.kind);
  CHECK(kinds
        == std::vector<std::string>{"node.joined", "node.joined",
                                    "name.refused", "node.lost"});
}
