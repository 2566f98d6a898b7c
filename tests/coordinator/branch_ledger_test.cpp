// SPDX-License-Identifier: Apache-2.0
#include "coordinator/branch_ledger.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

operation_intent intent(std::string operation, std::string tag = "t1",
                        std::string sandbox = "s1") {
  return {.operation = {std::move(operation)},
          .sandbox = {std::move(sandbox)},
          .tag = {std::move(tag)}};
}

branch_report report(std::string operation, ec outcome = ec::none) {
  return {.operation = {std::move(operation)},
          .sandbox = {"s1"},
          .tag = {"t1"},
          .outcome = {.code = outcome}};
}

operation_status told(std::string operation, operation_state state) {
  return {
    .operation = {operation}, .state = state, .report = report(operation)};
}

const host_name h1{"h1"};
const host_name h2{"h2"};

} // namespace

TEST_CASE("a repeated id joins, and gets the outcome once there is one",
          "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{}};
  CHECK(unit.open(intent("op"), h1) == opening::opened);
  CHECK(unit.open(intent("op"), h1) == opening::joined);
  CHECK(unit.close(report("op", ec::vmm_gone)));
  CHECK(unit.open(intent("op"), h1) == opening::ended);
  CHECK(unit.status({"op"}).state == operation_state::ended);
  CHECK(unit.status({"op"}).report.outcome.code == ec::vmm_gone);
}

TEST_CASE("an operation ends once, and its first outcome stands",
          "[coordinator][branch_ledger][safety]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op"), h1));
  CHECK(unit.close(report("op")));
  CHECK_FALSE(unit.close(report("op", ec::interrupted)));
  CHECK_FALSE(unit.learn(h1, told("op", operation_state::ended)));
  unit.forget({"op"});
  CHECK(unit.status({"op"}).report.outcome.code == ec::none);
}

TEST_CASE("an id cannot stand for two requests",
          "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op"), h1));
  auto other = intent("op", "t2");
  CHECK(unit.open(other, h1).error().code == ec::operation_conflict);
  other = intent("op");
  other.mode = branch_mode::full;
  CHECK(unit.open(other, h1).error().code == ec::operation_conflict);
  other = intent("op");
  other.kind = operation_kind::restore;
  CHECK(unit.open(other, h1).error().code == ec::operation_conflict);
}

TEST_CASE("a repeated id with other content is a conflict naming the field",
          "[coordinator][branch_ledger][safety]") {
  const auto first = branch_request{
    .operation = {"op"}, .sandbox = {"s1"}, .tag = {"t1"}, .labels = {"a=b"}};
  const auto has_ended = GENERATE(false, true);
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent_of(first), h1));
  if (has_ended)
    REQUIRE(unit.close(report("op")));
  const auto problem_of = [&](const branch_request& x) {
    const auto found = unit.check(intent_of(x));
    return found ? std::string{} : to_string(found.error());
  };
  CHECK(problem_of(first).empty());
  auto other = first;
  other.labels = {"a=c"};
  CHECK(problem_of(other).find("another value of labels") != std::string::npos);
  CHECK(problem_of(other).starts_with("operation_conflict"));
  other = first;
  other.note = "n";
  CHECK(problem_of(other).find("another value of note") != std::string::npos);
  other = first;
  other.max_pause = milliseconds{5};
  CHECK(problem_of(other).find("max_pause_ms") != std::string::npos);
  other = first;
  other.deadline = milliseconds{5};
  CHECK(problem_of(other).empty());
}

TEST_CASE("what a node tells of an operation is compared as well",
          "[coordinator][branch_ledger][safety]") {
  const auto first = branch_request{
    .operation = {"op"}, .sandbox = {"s1"}, .tag = {"t1"}, .labels = {"a=b"}};
  auto status = told("op", operation_state::ended);
  status.asked = intent_of(first).digest;
  status.report.subject = "client:ann#0A";
  auto unit = branch_ledger{{}};
  unit.learn(h1, status);
  CHECK(unit.check(intent_of(first)) == opening::ended);
  auto other = first;
  other.labels = {};
  CHECK(unit.check(intent_of(other)).error().code == ec::operation_conflict);
  CHECK(unit.status({"op"}).report.subject == "client:ann#0A");
}

TEST_CASE("a name in the making is taken", "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op1"), h1));
  CHECK(unit.open(intent("op2"), h1).error().code == ec::snapshot_exists);
  unit.close(report("op1"));
  CHECK(unit.open(intent("op2"), h1) == opening::opened);
  auto child = intent("op3", "t1", "child");
  child.kind = operation_kind::restore;
  REQUIRE(unit.open(child, h1));
  child.operation = {"op4"};
  CHECK(unit.open(child, h1).error().code == ec::sandbox_exists);
}

TEST_CASE("what never started frees its id and its names",
          "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op1"), h1));
  unit.forget({"op1"});
  CHECK(unit.status({"op1"}).state == operation_state::unknown);
  CHECK(unit.open(intent("op2"), h2) == opening::opened);
  CHECK(unit.open_count() == 1);
}

TEST_CASE("operations of a lost host stay open until their node tells",
          "[coordinator][branch_ledger][safety]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op1"), h1));
  REQUIRE(unit.open(intent("op2", "t2"), h2));
  CHECK(unit.doubt_all(h1) == std::vector<operation_id>{{"op1"}});
  CHECK(unit.doubt_all(h1).empty());
  CHECK(unit.unasked(h1, 10) == std::vector<operation_id>{{"op1"}});
  CHECK(unit.status({"op1"}).state == operation_state::running);
  CHECK(unit.status({"op1"}).report.warnings.size() == 1);
  CHECK(unit.learn(h1, told("op1", operation_state::ended)));
  CHECK(unit.status({"op1"}).state == operation_state::ended);
  CHECK(unit.find({"op2"})->state == entry_state::running);
}

TEST_CASE("a new coordinator learns operations from the nodes",
          "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{}};
  unit.learn(h1, told("old", operation_state::ended));
  unit.learn(h1, told("live", operation_state::running));
  CHECK(unit.find({"old"})->state == entry_state::ended);
  CHECK(unit.find({"live"})->state == entry_state::running);
  CHECK(unit.unasked(h1, 10) == std::vector<operation_id>{{"live"}});
  auto again = intent("live");
  again.mode = branch_mode::full; // the node does not tell what was asked
  CHECK(unit.open(again, h1) == opening::joined);
  CHECK(unit.learn(h1, told("live", operation_state::ended)));
}

TEST_CASE("another host cannot end an operation",
          "[coordinator][branch_ledger][safety]") {
  auto unit = branch_ledger{{}};
  REQUIRE(unit.open(intent("op"), h1));
  CHECK_FALSE(unit.learn(h2, told("op", operation_state::ended)));
  CHECK(unit.find({"op"})->state == entry_state::running);
}

TEST_CASE("the ledger keeps its limits", "[coordinator][branch_ledger]") {
  auto unit = branch_ledger{{.open_max = 2, .ended_max = 3}};
  for (int i = 0; i < 5; ++i) {
    const auto name = std::to_string(i);
    REQUIRE(unit.open(intent("op" + name, "t" + name), h1));
    REQUIRE(unit.close(report("op" + name)));
  }
  CHECK(unit.ended_count() == 3);
  CHECK_FALSE(unit.find({"op1"}));
  CHECK(unit.find({"op2"}));
  REQUIRE(unit.open(intent("a", "a"), h1));
  REQUIRE(unit.open(intent("b", "b"), h1));
  CHECK(unit.open(intent("c", "c"), h1).error().code == ec::node_busy);
}

TEST_CASE("random operations agree with a naive ledger",
          "[coordinator][branch_ledger][property]") {
  enum class fate { none, open, ended };
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    auto dice = std::mt19937{seed};
    auto unit = branch_ledger{{.open_max = 100, .ended_max = 1000}};
    auto model = std::array<fate, 6>{};
    for (int step = 0; step < 200; ++step) {
      const auto n = dice() % model.size();
      const auto name = "op" + std::to_string(n);
      auto& known = model[n];
      switch (dice() % 5) {
        case 0: {
          const auto got = unit.open(intent(name, "t" + name), h1);
          REQUIRE(got);
          REQUIRE((*got == opening::opened) == (known == fate::none));
          REQUIRE((*got == opening::ended) == (known == fate::ended));
          known = known == fate::none ? fate::open : known;
          break;
        }
        case 1:
          REQUIRE(unit.close(report(name)) == (known == fate::open));
          known = known == fate::open ? fate::ended : known;
          break;
        case 2:
          unit.forget({name});
          known = known == fate::open ? fate::none : known;
          break;
        case 3:
          unit.doubt_all(h1);
          break;
        default:
          auto ended = told(name, operation_state::ended);
          ended.report.tag = {"t" + name};
          REQUIRE(unit.learn(h1, ended) == (known == fate::open));
          known = fate::ended;
      }
      const auto open = std::count(model.begin(), model.end(), fate::open);
      REQUIRE(unit.open_count() == static_cast<std::size_t>(open));
    }
  }
}
