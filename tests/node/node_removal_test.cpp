// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <catch2/catch.hpp>

#include "node/node_work.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// A node whose wall clock is the world's.
struct removal_fixture : node_fixture {
  removal_fixture() {
    const auto begun = w.now();
    adjust = [this, begun](node_services& services) {
      services.wall = [this, begun] {
        return std::chrono::duration_cast<microseconds>(w.now() - begun);
      };
    };
    settings.retention = {.sweep = 1s,
                          .rules = {{.label = "k=v", .keep_last = 1}}};
    start();
  }

  void sealed(const std::string& tag, std::vector<std::string> labels) {
    auto asked = request(tag);
    asked.labels = std::move(labels);
    asked.mode = branch_mode::full;
    asked.note = "said of " + tag;
    const auto report = ask<branch_report>(asked);
    REQUIRE((report && !report->outcome));
  }
  expected<inspect_report> inspect(const std::string& tag) {
    return ask<inspect_report>(
      inspect_request{.tag = {tag}, .epoch = script->epoch});
  }
  expected<inspect_report> annotate(annotate_request asked) {
    asked.epoch = script->epoch;
    return ask<inspect_report>(asked);
  }
  bool has(const std::string& tag) { return state().snapshots.contains({tag}); }
  std::size_t events(const std::string& kind) const {
    return static_cast<std::size_t>(
      std::ranges::count(script->events, kind, &fleet_event::kind));
  }
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(removal_fixture, "labels and a note come with the branch",
                 "[node][node_annotations]") {
  sealed("op-1", {"run=7", "app=web"});
  const auto known = inspect("op-1");
  REQUIRE(known);
  CHECK(known->snapshot.labels == texts{"app=web", "run=7"});
  CHECK(known->snapshot.note == "said of op-1");
  CHECK(known->unique_bytes > 0);
  CHECK(known->retention == "no rule speaks of its labels");
  auto asked = request("op-2");
  asked.labels = {"no label"};
  CHECK(ask<branch_report>(asked).error().code == ec::invalid_request);
}

TEST_CASE_METHOD(removal_fixture, "labels change and outlive the node",
                 "[node][node_annotations]") {
  sealed("op-1", {"run=7"});
  const auto root = state().snapshots.at({"op-1"}).root_hash;
  REQUIRE(annotate({.tag = {"op-1"},
                    .labels = {"b=1"},
                    .dropped = {"run"},
                    .has_note = true,
                    .note = "new"}));
  restart();
  const auto& info = state().snapshots.at({"op-1"});
  CHECK(info.labels == texts{"b=1"});
  CHECK(info.note == "new");
  CHECK(info.root_hash == root);
  CHECK(annotate({.tag = {"none"}}).error().code == ec::unknown_snapshot);
  CHECK(annotate({.tag = {"op-1"}, .labels = {"="}}).error().code
        == ec::invalid_request);
}

TEST_CASE_METHOD(removal_fixture, "what is due goes, and it is told",
                 "[node][node_removal]") {
  sealed("op-1", {"k=v"});
  w.advance(10ms);
  sealed("op-2", {"k=v"});
  CHECK(inspect("op-1")->is_due);
  w.advance(3s);
  CHECK_FALSE(has("op-1"));
  CHECK(has("op-2"));
  CHECK(events("snapshot.expired") == 1);
  CHECK(inspect("op-2")->retention
        == "rule k=v keeps the last 1 of sandbox s1");
}

TEST_CASE_METHOD(removal_fixture, "what a child runs on is kept till it ends",
                 "[node][node_removal][safety]") {
  sealed("op-1", {"k=v"});
  REQUIRE(restore("op-c", "op-1", "child"));
  w.advance(10ms);
  sealed("op-2", {"k=v"});
  w.advance(5s);
  CHECK(has("op-1"));
  CHECK(inspect("op-1")->retention == "needed: child runs on it");
  REQUIRE(stop("child"));
  w.advance(3s);
  CHECK_FALSE(has("op-1"));
}

TEST_CASE_METHOD(removal_fixture,
                 "while a sandbox's record cannot be read no snapshot goes",
                 "[node][node_removal][safety]") {
  sealed("op-1", {"k=v"});
  w.advance(10ms);
  sealed("op-2", {"k=v"});
  state().watch.lost[{"lost"}] = {.is_unread = true};
  w.advance(5s);
  CHECK(has("op-1"));
  const auto refused = ask<done>(remove_request{{"op-1"}, script->epoch});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::node_busy);
  CHECK_THAT(refused.error().message, Catch::Contains("sandbox lost"));
  state().watch.lost.clear();
  w.advance(3s);
  CHECK_FALSE(has("op-1"));
}

TEST_CASE_METHOD(removal_fixture, "nobody begins to need what is being removed",
                 "[node][node_removal][safety]") {
  sealed("op-1", {"k=v"});
  state().retention.removing.insert({"op-1"});
  const auto late = restore("op-c", "op-1", "child");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ec::node_busy);
  CHECK(ask<done>(remove_request{{"op-1"}, script->epoch}).error().code
        == ec::node_busy);
}

TEST_CASE_METHOD(removal_fixture, "a pinned label keeps a snapshot",
                 "[node][node_removal][safety]") {
  sealed("op-1", {"k=v", "pinned=yes"});
  w.advance(10ms);
  sealed("op-2", {"k=v"});
  w.advance(3s);
  CHECK(has("op-1"));
  REQUIRE(annotate({.tag = {"op-1"}, .dropped = {"pinned"}}));
  w.advance(3s);
  CHECK_FALSE(has("op-1"));
}

TEST_CASE_METHOD(removal_fixture,
                 "a list that was made before labels were given changes none",
                 "[node][node_annotations][safety]") {
  sealed("op-1", {"k=v"});
  const auto old = place.store->list();
  REQUIRE(annotate({.tag = {"op-1"}, .labels = {"pinned=yes"}}));
  node_work::take_changes(unit_pointer(), old);
  CHECK(state().snapshots.at({"op-1"}).labels == texts{"k=v", "pinned=yes"});
  sealed("op-2", {"k=v"});
  w.advance(3s);
  CHECK(has("op-1"));
}

TEST_CASE_METHOD(removal_fixture,
                 "a label that the node has not heard of saves a snapshot",
                 "[node][node_removal][safety]") {
  sealed("op-1", {"k=v"});
  // Given in the store, where its node did not see it yet.
  REQUIRE(place.store->annotate({"op-1"}, {.labels = {"pinned=yes"}}));
  w.advance(10ms);
  sealed("op-2", {"k=v"});
  w.advance(3s);
  CHECK(has("op-1"));
  CHECK(events("retention.failed") > 0);
}
