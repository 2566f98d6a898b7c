// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(coordinator_fixture, "silence is noticed, and life again",
                 "[coordinator][membership]") {
  start();
  join_all();
  const auto waiting = branch("op-1");
  for (int second = 0; second < 6; ++second) {
    w.advance(1s);
    beat("h2");
  }
  CHECK(code_of(waiting) == ec::node_down);
  CHECK_FALSE(beat("h1").known);
  const auto list = ask<node_list>(nodes_request{});
  REQUIRE(list->value()->nodes.size() == 2);
  CHECK(list->value()->nodes[0].state == node_state::down);
  CHECK(list->value()->nodes[1].state == node_state::up);
  REQUIRE(hello({.host = {"h1"}, .incarnation = 1}));
  CHECK(beat("h1").known);
}

TEST_CASE_METHOD(coordinator_fixture,
                 "a foreign protocol, host or peer is "
                 "refused",
                 "[coordinator][membership][safety]") {
  start(hello_check{[](const node_actor&, const host_name& host) -> status {
    if (host.value == "h2")
      return fail(ec::not_permitted, "this is node:h1");
    return {};
  }});
  CHECK(hello({.protocol = 99, .host = {"h1"}}).error().code
        == ec::not_permitted);
  CHECK(hello({.host = {"h2"}}).error().code == ec::not_permitted);
  CHECK(hello({.host = {"h9"}}).error().code == ec::not_permitted);
  CHECK(hello({.host = {"h1"}, .incarnation = 1}));
}

TEST_CASE_METHOD(coordinator_fixture, "the epoch is above all that was obeyed",
                 "[coordinator][membership][safety]") {
  start();
  CHECK(hello({.host = {"h1"}, .incarnation = 1})->epoch == 3);
  // The same node again: it obeyed our own epoch.
  CHECK(hello({.host = {"h1"}, .incarnation = 1, .epoch_seen = 3})->epoch == 3);
  CHECK(hello({.host = {"h2"}, .incarnation = 1, .epoch_seen = 8})->epoch == 9);
  CHECK(beat("h1").epoch == 9);
  CHECK(hello({.host = {"h2"}, .incarnation = 2, .epoch_seen = ~uint64_t{0}})
          .error()
          .code
        == ec::invalid_request);
}

TEST_CASE_METHOD(coordinator_fixture, "an old node's words count for nothing",
                 "[coordinator][membership][safety]") {
  start();
  join("h1", 5, {.sandboxes = {{.id = {"s1"}}}});
  CHECK(hello({.host = {"h1"}, .incarnation = 4}).error().code
        == ec::not_permitted);
  CHECK(tell({.host = {"h1"}, .incarnation = 4, .removed_sandboxes = {{"s1"}}})
          .error()
          .code
        == ec::not_permitted);
  CHECK_FALSE(beat("h1", 4).known);
  const auto list = ask<sandbox_list>(sandboxes_request{});
  CHECK(list->value()->sandboxes.size() == 1);
}

TEST_CASE_METHOD(coordinator_fixture,
                 "a newer node ends the older one's "
                 "requests",
                 "[coordinator][membership]") {
  start();
  join_all();
  const auto waiting = branch("op-1");
  join("h1", 2, {.sandboxes = {{.id = {"s1"}}}});
  CHECK(code_of(waiting) == ec::node_down);
  branch("op-2", "t2");
  CHECK(scripts["h1"]->branches.size() == 1);
}

TEST_CASE_METHOD(coordinator_fixture, "a node that says goodbye is down",
                 "[coordinator][membership]") {
  start();
  join_all();
  REQUIRE(code_of(ask<done>(node_goodbye{.host = {"h1"}, .incarnation = 1}))
          == ec::none);
  CHECK(code_of(branch("op-1")) == ec::node_down);
  const auto list = ask<sandbox_list>(sandboxes_request{});
  REQUIRE(list->value()->sandboxes.size() == 2);
  CHECK(list->value()->sandboxes[0].note.find("down") != std::string::npos);
  CHECK(list->value()->sandboxes[1].note.empty());
}

TEST_CASE_METHOD(coordinator_fixture,
                 "what an earlier life of a node told is told as such",
                 "[coordinator][membership][safety]") {
  start();
  join_all();
  auto note = [this] {
    return ask<sandbox_list>(sandboxes_request{})->value()->sandboxes[0].note;
  };
  CHECK(note().empty());
  REQUIRE(hello({.host = {"h1"}, .incarnation = 2}));
  CHECK(note() == "host 'h1' joins again; this is what it told before");
}
