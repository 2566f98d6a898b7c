// SPDX-License-Identifier: Apache-2.0
#include "node/recovery.hpp"

#include <catch2/catch.hpp>

#include "tests/support/branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct recovery_fixture : branching_world {
  recovery_fixture() { start_source(); }

  /// Kills the node in `where`; gives what its next life finds.
  recovery_result die_in(stage where, simulated_trouble how) {
    faults().add(where, {how});
    CHECK_THROWS_AS(branch(request("op-1")), simulated_crash);
    restart();
    return recover();
  }
};

} // namespace

TEST_CASE_METHOD(recovery_fixture, "a guest left standing is resumed",
                 "[node][recovery][safety]") {
  const auto where = GENERATE(stage::pause, stage::capture, stage::resume);
  const auto how =
    GENERATE(simulated_trouble::crash_before, simulated_trouble::crash_after);
  CAPTURE(where, how);
  const auto found = die_in(where, how);
  CHECK(machine().health() == vmm_health::running);
  REQUIRE(found.ended.size() == 1);
  CHECK(found.ended[0].report.outcome.code == ec::interrupted);
  CHECK(found.adopted.at(0).info.state == sandbox_state::running);
}

TEST_CASE_METHOD(recovery_fixture, "a branch cut short leaves nothing",
                 "[node][recovery][safety]") {
  const auto where = GENERATE(stage::track, stage::capture, stage::drain);
  CAPTURE(where);
  die_in(where, simulated_trouble::crash_before);
  CHECK(store().list().empty());
  CHECK(store().recover().empty());
  CHECK(branch(request("op-2")).report.outcome == failure{});
}

TEST_CASE_METHOD(recovery_fixture, "a guest that somebody paused stays paused",
                 "[node][recovery][safety]") {
  machine().pause(std::chrono::steady_clock::now());
  restart();
  const auto found = recover();
  CHECK(machine().health() == vmm_health::paused);
  CHECK(found.adopted.at(0).info.state == sandbox_state::paused);
}

TEST_CASE_METHOD(recovery_fixture, "outcomes are known after a restart",
                 "[node][recovery]") {
  const auto report = branch(request("op-1")).report;
  restart();
  const auto found = recover();
  REQUIRE(found.ended.size() == 1);
  CHECK(found.ended[0].report == report);
  CHECK(store().list().size() == 1);
}

TEST_CASE_METHOD(recovery_fixture, "a declared sandbox that is gone is new",
                 "[node][recovery]") {
  machine().end();
  restart();
  CHECK(recover().adopted.empty());
}

TEST_CASE_METHOD(recovery_fixture,
                 "half a child is forgotten, a whole one told",
                 "[node][recovery][safety]") {
  auto record = sandbox_record{.id = {"the-child"},
                               .origin = sandbox_origin::restored,
                               .parent = {"op-1"},
                               .operation = {"op-2"},
                               .is_unfinished = GENERATE(false, true)};
  record.spec.name = record.id;
  record.spec.driver = config::driver_kind::simulated;
  REQUIRE(records().save(record));
  restart();
  const auto found = recover();
  CHECK(found.adopted.size() == (record.is_unfinished ? 1 : 2));
  if (!record.is_unfinished)
    CHECK(found.adopted[1].info.state == sandbox_state::gone);
  auto problems = std::vector<std::string>{};
  CHECK(records().load_all(problems)->size() == found.adopted.size());
}

TEST_CASE_METHOD(recovery_fixture, "a child that is found again is whole",
                 "[node][recovery][safety]") {
  auto problems = std::vector<std::string>{};
  auto record = records().load_all(problems)->at(0);
  record.origin = sandbox_origin::restored;
  record.is_unfinished = true;
  REQUIRE(records().save(record));
  restart();
  REQUIRE(recover().adopted.size() == 1);
  machine().end();
  restart();
  // It was seen to run, so its end is told.
  const auto found = recover();
  REQUIRE(found.adopted.size() == 1);
  CHECK(found.adopted[0].info.state == sandbox_state::gone);
}

TEST_CASE_METHOD(recovery_fixture,
                 "a snapshot whose guest stayed stuck is kept",
                 "[node][recovery][safety]") {
  auto report = branch(request("op-1")).report;
  report.outcome = {ec::guest_stuck, "it stands"};
  REQUIRE(journal().close(report));
  restart();
  recover();
  CHECK(store().list().size() == 1);
}

TEST_CASE_METHOD(recovery_fixture,
                 "a snapshot sealed before the node died is a success",
                 "[node][recovery][safety]") {
  // The node dies between the rename and its journal's last line.
  const auto asked = request("op-1");
  REQUIRE(journal().open(asked));
  auto area = store().stage({.operation = asked.operation,
                             .tag = asked.tag,
                             .memory_bytes = 4u << 20,
                             .vmstate_bytes = 4096});
  REQUIRE(area);
  const auto sealed = store().seal({.operation = asked.operation,
                                    .tag = asked.tag,
                                    .source = asked.sandbox,
                                    .memory_bytes = 4u << 20},
                                   **area);
  REQUIRE(sealed);
  restart();
  const auto found = recover();
  REQUIRE(found.ended.size() == 1);
  CHECK(found.ended[0].report.outcome == failure{});
  CHECK(found.ended[0].report.root_hash == sealed->root_hash);
}

TEST_CASE_METHOD(recovery_fixture,
                 "a snapshot whose branch was told to have failed is removed",
                 "[node][recovery][safety]") {
  auto report = branch(request("op-1")).report;
  auto second = request("op-2");
  second.mode = branch_mode::full; // no diff: that would need the first
  branch(second);
  report.outcome = {ec::io_failed, "the seal could not be taken back"};
  REQUIRE(journal().close(report));
  restart();
  const auto found = recover();
  REQUIRE(store().list().size() == 1);
  CHECK(store().list()[0].tag.value == "op-2");
  CHECK(found.ended.size() == 2);
}

TEST_CASE_METHOD(recovery_fixture, "it is told where a branch was cut short",
                 "[node][recovery]") {
  REQUIRE(journal().open(request("op-1")));
  restart();
  const auto found = recover();
  REQUIRE(found.ended.size() == 1);
  CHECK(found.ended[0].report.outcome.code == ec::interrupted);
  CHECK(found.ended[0].report.outcome.message
        == "the node was killed before the pause; no snapshot was made");
}
