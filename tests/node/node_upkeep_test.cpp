// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <fstream>

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

bool is_told(const coordinator_script& script, const std::string& tag) {
  return std::ranges::any_of(script.pages, [&](const inventory_page& page) {
    return std::ranges::count(page.snapshots, snapshot_tag{tag},
                              &snapshot_info::tag)
           > 0;
  });
}

/// A node with one sealed snapshot, op-1.
struct upkeep_fixture : node_fixture {
  scratch_directory archives = {};

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
    return {.file = file,
            .host = {"h1"},
            .accept_unsigned = true,
            .epoch = script->epoch};
  }
  /// Archives lie in a directory of the test's own.
  void give_archives() {
    state().services.find_archive =
      [this](const std::string& name) -> expected<std::string> {
      return archives.path() + "/" + name;
    };
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

TEST_CASE_METHOD(upkeep_fixture, "a snapshot goes into an archive and back",
                 "[node][node_upkeep]") {
  give_archives();
  const auto packed = ask<archive_report>(exporting("a.ffsnap"));
  REQUIRE(packed);
  REQUIRE(packed->outcome == failure{});
  CHECK(packed->file == archives.path() + "/a.ffsnap");
  CHECK(packed->bytes == 1u << 20);
  CHECK(packed->stored_bytes == std::filesystem::file_size(packed->file));
  CHECK(code_of(ask<archive_report>(importing("a.ffsnap")))
        == ec::snapshot_exists);
  auto again = importing("a.ffsnap");
  again.tag = {"again"};
  auto believed = again;
  believed.accept_unsigned = false;
  CHECK(code_of(ask<archive_report>(believed)) == ec::not_permitted);
  const auto unpacked = ask<archive_report>(again);
  REQUIRE(unpacked);
  CHECK(unpacked->outcome == failure{});
  CHECK(unpacked->tag.value == "again");
  CHECK(state().snapshots.contains({"again"}));
  CHECK(is_told(*script, "again"));
  CHECK(restore("op-2", "again", "child"));
}

TEST_CASE_METHOD(upkeep_fixture, "an archive that is there stays as it is",
                 "[node][node_upkeep][safety]") {
  give_archives();
  REQUIRE(ask<archive_report>(exporting("a.ffsnap")));
  const auto path = archives.path() + "/a.ffsnap";
  std::ofstream{path, std::ios::trunc} << "mine";
  CHECK(code_of(ask<archive_report>(exporting("a.ffsnap")))
        == ec::invalid_request);
  CHECK(std::filesystem::file_size(path) == 4);
}

TEST_CASE_METHOD(upkeep_fixture, "a damaged snapshot is reported, not refused",
                 "[node][node_upkeep][safety]") {
  const auto& directory = state().snapshots.at({"op-1"}).directory;
  {
    auto file = std::fstream{directory + "/memory.bin",
                             std::ios::in | std::ios::out | std::ios::binary};
    REQUIRE(file);
    file.seekp(5000) << "damage";
  }
  const auto report = ask<verify_report>(verification("op-1"));
  REQUIRE(report);
  CHECK(report->outcome.code == ec::snapshot_corrupt);
  CHECK(report->outcome.message.find("memory") != std::string::npos);
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
