// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct upkeep_fixture : joined_fixture {
  answer<done> cancel(const std::string& operation) {
    return ask<done>(cancel_request{.operation = {operation}});
  }
  answer<archive_report> import_as(const std::string& tag,
                                   const std::string& host = "h2") {
    return ask<archive_report>(import_request{
      .file = "old.ffsnap", .host = {host}, .tag = {tag}, .deadline = 30s});
  }
  std::string note_of(const answer<done>& x) { return x->value()->note; }
};

} // namespace

TEST_CASE_METHOD(joined_fixture, "a check goes to the host that was named",
                 "[coordinator][upkeep]") {
  const auto asked = ask<fsck_report>(
    fsck_request{.host = {"h2"}, .repair = true, .young = milliseconds{9}});
  auto& checks = scripts.at("h2")->checks;
  REQUIRE(checks.size() == 1);
  CHECK(scripts.at("h1")->checks.empty());
  CHECK(checks[0].request.repair);
  CHECK(checks[0].request.young == milliseconds{9});
  CHECK(checks[0].request.epoch == 3);
  deliver("h2", checks[0].promise, fsck_report{.host = {"h2"}, .repaired = 4});
  CHECK(asked->value()->repaired == 4);
  CHECK(code_of(ask<fsck_report>(fsck_request{.host = {"h9"}}))
        == ec::invalid_request);
}

TEST_CASE_METHOD(joined_fixture,
                 "a host's name of any length that it may have is looked at",
                 "[coordinator][upkeep]") {
  const auto length = GENERATE(as<std::size_t>{}, 1, 35, 36, 63);
  const auto host = host_name{std::string(length, 'h')};
  // Not in the fleet file: but refused for that, not as no name.
  for (const auto& refused :
       {ask<fsck_report>(fsck_request{.host = host})->value().error(),
        ask<doctor_report>(doctor_request{.host = host})->value().error()})
    CHECK_THAT(to_string(refused), Catch::Contains("is not in the fleet file"));
}

TEST_CASE_METHOD(joined_fixture, "what is no host's name is refused as such",
                 "[coordinator][upkeep]") {
  const auto host = host_name{
    GENERATE(as<std::string>{}, "", "-h", "a/b", std::string(64, 'h'))};
  CHECK_THAT(
    to_string(ask<fsck_report>(fsck_request{.host = host})->value().error()),
    Catch::Contains("host name"));
  CHECK_THAT(
    to_string(
      ask<doctor_report>(doctor_request{.host = host})->value().error()),
    Catch::Contains("host name"));
}

TEST_CASE_METHOD(joined_fixture, "an examination goes to the host named",
                 "[coordinator][upkeep]") {
  const auto asked = ask<doctor_report>(doctor_request{.host = {"h2"}});
  auto& all = scripts.at("h2")->examinations;
  REQUIRE(all.size() == 1);
  CHECK(all[0].request.epoch == 3);
  deliver("h2", all[0].promise,
          doctor_report{.host = {"h2"}, .checks = {{.name = "kvm"}}});
  CHECK(asked->value()->checks.size() == 1);
}

TEST_CASE_METHOD(upkeep_fixture, "who has a name after a promotion is known",
                 "[coordinator][upkeep]") {
  REQUIRE(tell({.host = {"h1"},
                .incarnation = 1,
                .sandboxes = {{.id = {"kid"}, .parent = {"old"}}}}));
  const auto asked = ask<restore_report>(promote_request{.sandbox = {"kid"}});
  auto& promotions = scripts.at("h1")->promotions;
  REQUIRE(promotions.size() == 1);
  CHECK(promotions[0].request.epoch == 3);
  CHECK(is_valid(promotions[0].request.operation));
  deliver("h1", promotions[0].promise,
          restore_report{.tag = {"old"},
                         .sandbox = {.id = {"s1"}, .parent = {"old"}}});
  CHECK(asked->value()->sandbox.host.value == "h1");
  CHECK(code_of(ask<restore_report>(promote_request{.sandbox = {"kid"}}))
        == ec::unknown_sandbox);
  const auto back =
    ask<restore_report>(rollback_request{.sandbox = {"s1"}, .tag = {"old"}});
  REQUIRE(scripts.at("h1")->rollbacks.size() == 1);
  CHECK(is_pending(back));
}

TEST_CASE_METHOD(upkeep_fixture, "a promotion asked again is done once",
                 "[coordinator][upkeep][safety]") {
  const promote_request up{.operation = {"op-up"}, .sandbox = {"kid"}};
  const sandbox_info now{.id = {"s1"},
                         .parent = {"old"},
                         .operation = {"op-kid"},
                         .switched_by = {"op-up"}};
  REQUIRE(
    tell({.host = {"h1"},
          .incarnation = 1,
          .sandboxes = {
            {.id = {"kid"}, .parent = {"old"}, .operation = {"op-kid"}}}}));
  auto& promotions = scripts.at("h1")->promotions;
  const auto again = [&] {
    const auto asked = ask<restore_report>(up);
    REQUIRE_FALSE(promotions.empty());
    CHECK(promotions.back().request.operation == up.operation);
    deliver("h1", promotions.back().promise,
            restore_report{.tag = {"old"}, .sandbox = now});
    CHECK(code_of(asked) == ec::none);
    CHECK(asked->value()->sandbox.id.value == "s1");
  };
  again();
  again();
  CHECK(promotions.size() == 2);
  // Another promotion has nothing to do with it.
  CHECK(code_of(ask<restore_report>(
          promote_request{.operation = {"op-2"}, .sandbox = {"kid"}}))
        == ec::unknown_sandbox);
  // The name is given to another child, on another host, and then on this.
  REQUIRE(tell({.host = {"h2"},
                .incarnation = 1,
                .sandboxes = {{.id = {"kid"}, .operation = {"op-new"}}}}));
  again();
  CHECK(scripts.at("h2")->promotions.empty());
  REQUIRE(
    tell({.host = {"h2"}, .incarnation = 1, .removed_sandboxes = {{"kid"}}}));
  REQUIRE(tell({.host = {"h1"},
                .incarnation = 1,
                .sandboxes = {{.id = {"kid"}, .operation = {"op-new"}}}}));
  again();
  CHECK(code_of(ask<done>(stop_request{.sandbox = {"s9"}}))
        == ec::unknown_sandbox);
  const auto stopping = ask<done>(stop_request{.sandbox = {"kid"}});
  CHECK(is_pending(stopping)); // the new child is still known
}

TEST_CASE_METHOD(upkeep_fixture, "a coordinator that starts anew knows it too",
                 "[coordinator][upkeep]") {
  REQUIRE(tell({.host = {"h1"},
                .incarnation = 1,
                .sandboxes = {{.id = {"s1"}, .switched_by = {"op-up"}}}}));
  const auto asked = ask<restore_report>(
    promote_request{.operation = {"op-up"}, .sandbox = {"kid"}});
  CHECK(scripts.at("h1")->promotions.size() == 1);
  const auto back = ask<restore_report>(rollback_request{
    .operation = {"op-up"}, .sandbox = {"s1"}, .tag = {"gone"}});
  CHECK(scripts.at("h1")->rollbacks.size() == 1);
  CHECK((is_pending(asked) && is_pending(back)));
}

TEST_CASE_METHOD(upkeep_fixture, "a cancel goes to the node that branches",
                 "[coordinator][upkeep]") {
  const auto branched = branch("op-1", "t1", "s2");
  const auto cancelled = cancel("op-1");
  auto& asked_for = scripts["h2"]->cancels;
  REQUIRE(asked_for.size() == 1);
  CHECK(asked_for[0].request.operation.value == "op-1");
  CHECK(asked_for[0].request.epoch == 3);
  CHECK(is_pending(cancelled));
  deliver("h2", asked_for[0].promise, done{"cancelled"});
  CHECK(note_of(cancelled) == "cancelled");
  CHECK(is_pending(branched));
  finish("h2", ec::cancelled);
  CHECK(branched->value()->outcome.code == ec::cancelled);
}

TEST_CASE_METHOD(upkeep_fixture, "what has ended stays as it ended",
                 "[coordinator][upkeep][safety]") {
  branch("op-1");
  finish("h1");
  CHECK(note_of(cancel("op-1")) == "it had ended before: sealed as t1");
  branch("op-2", "t2");
  cancel("op-2");
  finish("h1", ec::cancelled);
  for (int i = 0; i < 2; ++i)
    CHECK(note_of(cancel("op-2")) == "it had ended before: cancelled");
  CHECK(scripts["h1"]->cancels.size() == 1);
}

TEST_CASE_METHOD(upkeep_fixture, "a cancel that comes too late is no error",
                 "[coordinator][upkeep]") {
  branch("op-1");
  const auto late = cancel("op-1");
  finish("h1");
  deliver("h1", scripts["h1"]->cancels.at(0).promise,
          to_caf_error(ec::unknown_operation, "op-1"));
  REQUIRE(code_of(late) == ec::none);
  CHECK(note_of(late) == "it had ended before: sealed as t1");
}

TEST_CASE_METHOD(upkeep_fixture, "only a known branch can be cancelled",
                 "[coordinator][upkeep]") {
  CHECK(code_of(cancel("op-none")) == ec::unknown_operation);
  CHECK(code_of(cancel("../op")) == ec::invalid_request);
  ask<restore_report>(
    restore_request{.operation = {"op-r"}, .tag = {"old"}, .sandbox = {"c"}});
  CHECK(code_of(cancel("op-r")) == ec::unsupported);
  branch("op-1");
  w.kill(nodes["h1"]);
  w.run();
  CHECK(code_of(cancel("op-1")) == ec::node_down);
}

TEST_CASE("nothing is unknown before all have told", "[coordinator][upkeep]") {
  auto world = coordinator_fixture{};
  world.start();
  CHECK(code_of(world.ask<done>(cancel_request{.operation = {"op-1"}}))
        == ec::not_ready);
  CHECK(code_of(world.ask<verify_report>(verify_request{.tag = {"t"}}))
        == ec::not_ready);
}

TEST_CASE_METHOD(upkeep_fixture, "upkeep goes to the host of the snapshot",
                 "[coordinator][upkeep]") {
  const auto flat = ask<done>(flatten_request{.tag = {"old"}});
  const auto sound = ask<verify_report>(verify_request{.tag = {"old"}});
  const auto archive = ask<archive_report>(export_request{.tag = {"old"}});
  auto& node = *scripts["h1"];
  REQUIRE((node.flattens.size() == 1 && node.verifications.size() == 1
           && node.exports.size() == 1));
  CHECK(node.flattens[0].request.deadline == settings.deadline);
  CHECK(node.exports[0].request.file == "old.ffsnap");
  deliver("h1", node.flattens[0].promise, done{});
  deliver("h1", node.verifications[0].promise, verify_report{.hashes = 7});
  deliver("h1", node.exports[0].promise, archive_report{.stored_bytes = 9});
  CHECK(code_of(flat) == ec::none);
  CHECK(sound->value()->hashes == 7);
  CHECK(sound->value()->host.value == "h1");
  CHECK(archive->value()->host.value == "h1");
  CHECK(code_of(ask<done>(flatten_request{.tag = {"none"}}))
        == ec::unknown_snapshot);
}

TEST_CASE_METHOD(upkeep_fixture, "upkeep ends with its node",
                 "[coordinator][upkeep][safety]") {
  const auto sound = ask<verify_report>(verify_request{.tag = {"old"}});
  const auto archive = ask<archive_report>(export_request{.tag = {"old"}});
  w.kill(nodes["h1"]);
  w.run();
  CHECK(code_of(sound) == ec::node_down);
  CHECK(code_of(archive) == ec::node_down);
}

TEST_CASE_METHOD(upkeep_fixture, "an imported snapshot can be asked for",
                 "[coordinator][upkeep]") {
  const auto imported = import_as("fresh");
  REQUIRE(scripts["h2"]->imports.size() == 1);
  CHECK(scripts["h2"]->imports[0].request.deadline == 30s);
  deliver("h2", scripts["h2"]->imports[0].promise,
          archive_report{.tag = {"fresh"}, .file = "/a/old.ffsnap"});
  REQUIRE(code_of(imported) == ec::none);
  CHECK(imported->value()->host.value == "h2");
  ask<verify_report>(verify_request{.tag = {"fresh"}});
  CHECK(scripts["h2"]->verifications.size() == 1);
}

TEST_CASE_METHOD(upkeep_fixture, "an import takes no name that is taken",
                 "[coordinator][upkeep][safety]") {
  CHECK(code_of(import_as("old")) == ec::snapshot_exists);
  branch("op-1", "making");
  CHECK(code_of(import_as("making")) == ec::snapshot_exists);
  CHECK(code_of(import_as("t", "h3")) == ec::invalid_request);
  CHECK(scripts["h2"]->imports.empty());
}

TEST_CASE_METHOD(upkeep_fixture, "an archive's name is no path",
                 "[coordinator][upkeep][safety]") {
  for (const auto* name :
       {"../x", "/etc/x", "a/b", ".hidden", "-o", "a b", "..", "x\n"}) {
    CAPTURE(name);
    CHECK(
      code_of(ask<archive_report>(export_request{.tag = {"old"}, .file = name}))
      == ec::invalid_request);
    CHECK(
      code_of(ask<archive_report>(import_request{.file = name, .host = {"h1"}}))
      == ec::invalid_request);
  }
  CHECK(scripts["h1"]->exports.empty());
  CHECK(scripts["h1"]->imports.empty());
}

TEST_CASE_METHOD(upkeep_fixture, "changed labels are listed at once",
                 "[coordinator][upkeep]") {
  const auto changed =
    ask<inspect_report>(annotate_request{.tag = {"old"}, .labels = {"a=1"}});
  auto& asked = scripts["h1"]->annotations;
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].request.epoch == 3);
  deliver("h1", asked[0].promise,
          inspect_report{.snapshot = {.tag = {"old"}, .labels = {"a=1"}}});
  REQUIRE(code_of(changed) == ec::none);
  CHECK(changed->value()->snapshot.host.value == "h1");
  const auto listed = ask<snapshot_list>(snapshots_request{});
  CHECK(listed->value()->snapshots.at(0).labels.at(0) == "a=1");
  CHECK(code_of(ask<inspect_report>(inspect_request{.tag = {"none"}}))
        == ec::unknown_snapshot);
  CHECK(code_of(ask<inspect_report>(
          annotate_request{.tag = {"old"}, .labels = {"="}}))
        == ec::invalid_request);
}

TEST_CASE_METHOD(upkeep_fixture, "snapshots of two hosts are not compared",
                 "[coordinator][upkeep]") {
  join("h2", 2, {.snapshots = {{.tag = {"far"}}}});
  CHECK(code_of(ask<compare_report>(
          compare_request{.tag = {"old"}, .other = {"far"}}))
        == ec::unsupported);
  ask<compare_report>(compare_request{.tag = {"old"}, .other = {"old"}});
  CHECK(scripts["h1"]->comparisons.size() == 1);
}

TEST_CASE_METHOD(upkeep_fixture,
                 "a comparison that finds nothing forgets no snapshot",
                 "[coordinator][upkeep][safety]") {
  join("h1", 2, {.snapshots = {{.tag = {"old"}}, {.tag = {"new"}}}});
  const auto compared =
    ask<compare_report>(compare_request{.tag = {"old"}, .other = {"new"}});
  REQUIRE(scripts["h1"]->comparisons.size() == 1);
  deliver("h1", scripts["h1"]->comparisons[0].promise,
          to_caf_error(ec::unknown_snapshot, "new"));
  CHECK(code_of(compared) == ec::unknown_snapshot);
  CHECK(ask<snapshot_list>(snapshots_request{})->value()->snapshots.size()
        == 2);
}
