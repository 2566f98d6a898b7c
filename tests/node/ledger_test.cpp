// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/ledger.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

constexpr ledger_times an_hour_in{.now = 3600s, .young = 30s};

ledger_thing thing(ledger_kind kind, const std::string& name) {
  return {.kind = kind, .where = "/d/" + name, .name = name};
}

ledger_state state_of(const ledger_thing& x, const ledger_owners& owners) {
  return make_ledger({x}, owners, an_hour_in).front().item.state;
}

} // namespace

TEST_CASE("a sandbox is owned by a node that knows it, else by its record",
          "[node][ledger]") {
  auto box = thing(ledger_kind::sandbox, "a");
  CHECK(state_of(box, {}) == ledger_state::orphan);
  box.has_record = true;
  CHECK(state_of(box, {}) == ledger_state::owned);
  CHECK(state_of(box, {.has_node = true}) == ledger_state::orphan);
  CHECK(state_of(box, {.has_node = true, .sandboxes = {"a"}})
        == ledger_state::owned);
}

TEST_CASE("a process that its sandbox' record does not name is an orphan",
          "[node][ledger]") {
  auto vm = thing(ledger_kind::process, "a");
  const ledger_owners owners{.has_node = true, .sandboxes = {"a"}};
  CHECK(state_of(vm, owners) == ledger_state::owned);
  vm.is_other_process = true;
  CHECK(state_of(vm, owners) == ledger_state::orphan);
}

TEST_CASE("what is young is never taken for an orphan",
          "[node][ledger][safety]") {
  for (const auto kind : {ledger_kind::process, ledger_kind::sandbox,
                          ledger_kind::staging, ledger_kind::operation}) {
    auto x = thing(kind, "a");
    x.since = an_hour_in.now - 29s;
    CHECK(state_of(x, {}) == ledger_state::young);
    x.since = an_hour_in.now - 31s;
    CHECK(state_of(x, {}) == ledger_state::orphan);
  }
}

TEST_CASE("what is being made is owned by what makes it", "[node][ledger]") {
  const auto staged = thing(ledger_kind::staging, "op-1");
  CHECK(state_of(staged, {.has_node = true}) == ledger_state::orphan);
  CHECK(state_of(staged, {.has_node = true, .staging = {"op-1"}})
        == ledger_state::owned);
  const auto half = thing(ledger_kind::file, "tag");
  CHECK(state_of(half, {}) == ledger_state::orphan);
  CHECK(state_of(half, {.changing = {"tag"}}) == ledger_state::owned);
}

TEST_CASE("a damaged owner is told, and nothing of it is an orphan",
          "[node][ledger][safety]") {
  for (const auto kind : {ledger_kind::process, ledger_kind::sandbox,
                          ledger_kind::snapshot, ledger_kind::operation}) {
    auto x = thing(kind, "a");
    x.damage = "it cannot be read";
    CAPTURE(kind);
    CHECK(state_of(x, {}) == ledger_state::damaged);
    CHECK(state_of(x, {.has_node = true}) == ledger_state::damaged);
  }
}

TEST_CASE("a snapshot without a manifest, and one that is listed and gone, "
          "are damaged",
          "[node][ledger]") {
  CHECK(state_of(thing(ledger_kind::snapshot, "t"), {})
        == ledger_state::damaged);
  const auto missing = make_ledger({}, {.snapshots = {"t"}}, an_hour_in);
  REQUIRE(missing.size() == 1);
  CHECK(missing.front().item.state == ledger_state::damaged);
}

TEST_CASE("what has no name of ours is left to a person", "[node][ledger]") {
  auto x = thing(ledger_kind::file, "notes.txt");
  x.is_foreign = true;
  CHECK(state_of(x, {}) == ledger_state::foreign);
}

TEST_CASE("a report counts all, tells findings first, and is bounded",
          "[node][ledger]") {
  std::vector<ledger_thing> things(ledger_items_max + 50,
                                   thing(ledger_kind::staging, "x"));
  auto own = thing(ledger_kind::file, "lock");
  own.owner = "the node";
  things.insert(things.begin(), own);
  const auto ledger = make_ledger(things, {}, an_hour_in);
  const auto report = report_of(ledger, true);
  CHECK(report.items.size() == ledger_items_max);
  CHECK(report.items_left_out == 51);
  CHECK(report.items.front().state == ledger_state::orphan);
  CHECK(report.counts.size() == 2);
  CHECK(report_of(make_ledger({own}, {}, an_hour_in), false).items.empty());
}
