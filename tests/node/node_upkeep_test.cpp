// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

template <class T>
ec code_of(const expected<T>& x) {
  return x ? ec::none : x.error().code;
}

/// A node with one sealed snapshot, op-1.
struct upkeep_fixture : node_fixture {
  upkeep_fixture() {
    start();
    REQUIRE(branch("op-1"));
  }
  verify_request verification(const std::string& tag) const {
    return {.tag = {tag}, .deadline = 1s, .epoch = script->epoch};
  }
  export_request exporting(const std::string& file) const {
    return {.tag = {"op-1"}, .file = file, .epoch = script->epoch};
  }
  import_request importing(const std::string& file) const {
    return {.file = file, .host = {"h1"}, .epoch = script->epoch};
  }
  bool has_event(const std::string& kind) const {
    return std::ranges::any_of(
      script->events, [&](const fleet_event& x) { return x.kind == kind; });
  }
};

} // namespace

TEST_CASE_METHOD(upkeep_fixture, "a sound snapshot is found to be so",
                 "[node][node_upkeep]") {
  const auto report = ask<verify_report>(verification("op-1"));
  REQUIRE(report);
  CHECK(report->outcome == failure{});
  CHECK(report->hashes > 0);
  CHECK(report->bytes >= 1u << 20);
  CHECK(report->host.value == "h1");
  CHECK(has_event("snapshot.verified"));
  CHECK(code_of(ask<verify_report>(verification("none")))
        == ec::unknown_snapshot);
}

TEST_CASE_METHOD(upkeep_fixture, "what is flat is flattened at once",
                 "[node][node_upkeep]") {
  const auto flat =
    ask<done>(flatten_request{.tag = {"op-1"}, .epoch = script->epoch});
  REQUIRE(flat);
  CHECK(flat->note == "it was flat before");
  CHECK(state().snapshots.at({"op-1"}).depth == 0);
  CHECK(
    code_of(ask<done>(flatten_request{.tag = {"none"}, .epoch = script->epoch}))
    == ec::unknown_snapshot);
}

TEST_CASE_METHOD(upkeep_fixture, "upkeep whose turn comes too late ends so",
                 "[node][node_upkeep]") {
  state().upkeep.idle.clear();
  const auto late = ask_later<verify_report>(verification("op-1"));
  w.advance(2s);
  CHECK_FALSE(late->has_value());
  state().upkeep.idle = state().upkeep.hands;
  CHECK(ask<verify_report>(verification("op-1")));
  REQUIRE(late->has_value());
  CHECK(late->value()->outcome.code == ec::deadline_exceeded);
}

TEST_CASE_METHOD(upkeep_fixture, "not all upkeep may wait for its turn",
                 "[node][node_upkeep]") {
  auto& upkeep = state().upkeep;
  upkeep.idle.clear();
  while (upkeep.queue.size() < 64)
    upkeep.queue.emplace_back([](const host_worker_actor&) {});
  CHECK(code_of(ask<verify_report>(verification("op-1"))) == ec::node_busy);
  CHECK(code_of(ask<archive_report>(exporting("a"))) == ec::node_busy);
}

TEST_CASE_METHOD(upkeep_fixture, "an archive's name is checked here again",
                 "[node][node_upkeep][safety]") {
  auto asked = std::vector<std::string>{};
  state().services.find_archive =
    [&asked](const std::string& name) -> expected<std::string> {
    asked.push_back(name);
    return fail(ec::io_failed, "no such disk");
  };
  for (const auto* name : {"../x", "/etc/x", "a/b", ".x", "-x", ""}) {
    CAPTURE(name);
    CHECK(code_of(ask<archive_report>(exporting(name))) == ec::invalid_request);
    CHECK(code_of(ask<archive_report>(importing(name))) == ec::invalid_request);
  }
  CHECK(asked.empty());
  const auto failed = ask<archive_report>(exporting("fine.ffsnap"));
  REQUIRE(failed);
  CHECK(failed->outcome.code == ec::io_failed);
  CHECK(asked == std::vector<std::string>{"fine.ffsnap"});
}

TEST_CASE_METHOD(upkeep_fixture, "a node that goes down does no upkeep",
                 "[node][node_upkeep][safety]") {
  state().upkeep.idle.clear();
  const auto waiting = ask_later<verify_report>(verification("op-1"));
  w.run();
  state().slots.admit(request("op-0"));
  ask_later<done>(drain_request{5s});
  w.run();
  CHECK(*state().upkeep.is_ending);
  CHECK(code_of(ask<verify_report>(verification("op-1"))) == ec::shutting_down);
}

TEST_CASE_METHOD(upkeep_fixture, "an old coordinator's upkeep is not done",
                 "[node][node_upkeep][safety]") {
  auto old = verification("op-1");
  old.epoch = script->epoch - 1;
  CHECK(code_of(ask<verify_report>(old)) == ec::not_permitted);
  CHECK(code_of(ask<done>(cancel_request{{"op-1"}, old.epoch}))
        == ec::not_permitted);
}
