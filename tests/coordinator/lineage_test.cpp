// SPDX-License-Identifier: Apache-2.0
#include "coordinator/lineage.hpp"

#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "actors/link/limits.hpp"
#include "actors/page_cutter.hpp"

using namespace forkfleet;

namespace {

sandbox_info sandbox(std::string id, std::string parent = "") {
  return {.id = {std::move(id)}, .parent = {std::move(parent)}};
}

snapshot_info snapshot(std::string tag, std::string parent = "") {
  return {.tag = {std::move(tag)}, .parent = {std::move(parent)}};
}

inventory_page page(std::string host, std::vector<sandbox_info> sandboxes,
                    std::vector<snapshot_info> snapshots = {}) {
  return {.host = {std::move(host)},
          .sandboxes = std::move(sandboxes),
          .snapshots = std::move(snapshots)};
}

inventory_page whole(inventory_page x, bool last = true) {
  x.whole = true;
  x.last = last;
  return x;
}

} // namespace

TEST_CASE("what a node tells is where the node is", "[coordinator][lineage]") {
  auto unit = lineage{};
  auto told = sandbox("sbx");
  told.host = {"elsewhere"};
  CHECK(unit.apply(page("h1", {told}, {snapshot("snap")})).empty());
  REQUIRE(unit.find(sandbox_id{"sbx"}));
  CHECK(unit.find(sandbox_id{"sbx"})->host == host_name{"h1"});
  CHECK(unit.find(snapshot_tag{"snap"})->host == host_name{"h1"});
  CHECK_FALSE(unit.find(sandbox_id{"other"}));
}

TEST_CASE("a whole inventory ends what it lacks, a partial one does not",
          "[coordinator][lineage]") {
  auto unit = lineage{};
  unit.apply(page("h1", {sandbox("a"), sandbox("b")}));
  unit.apply(page("h1", {sandbox("c")}));
  CHECK(unit.find(sandbox_id{"a"}));
  unit.begin({"h1"});
  unit.apply(whole(page("h1", {sandbox("b")}), false));
  CHECK(unit.find(sandbox_id{"a"}));
  unit.apply(whole(page("h1", {sandbox("d")})));
  CHECK_FALSE(unit.find(sandbox_id{"a"}));
  CHECK(unit.find(sandbox_id{"b"}));
  CHECK_FALSE(unit.find(sandbox_id{"c"}));
  CHECK(unit.find(sandbox_id{"d"}));
}

TEST_CASE("a repeated last page removes nothing",
          "[coordinator][lineage][safety]") {
  auto unit = lineage{};
  unit.begin({"h1"});
  unit.apply(whole(page("h1", {sandbox("a")}), false));
  const auto last = whole(page("h1", {sandbox("b")}));
  unit.apply(last);
  unit.apply(last);
  CHECK(unit.find(sandbox_id{"a"}));
}

TEST_CASE("what was learned during an inventory stays",
          "[coordinator][lineage][safety]") {
  auto unit = lineage{};
  unit.begin({"h1"});
  unit.apply(whole(page("h1", {sandbox("a")}), false));
  auto fresh = snapshot("fresh");
  fresh.host = {"h1"};
  unit.learn(fresh);
  unit.apply(whole(page("h1", {})));
  CHECK(unit.find(snapshot_tag{"fresh"}));
}

TEST_CASE("an interrupted inventory counts for nothing",
          "[coordinator][lineage]") {
  auto unit = lineage{};
  unit.apply(page("h1", {sandbox("a")}));
  unit.begin({"h1"});
  unit.apply(whole(page("h1", {sandbox("a")}), false));
  unit.interrupt({"h1"});
  unit.begin({"h1"});
  unit.apply(whole(page("h1", {})));
  CHECK_FALSE(unit.find(sandbox_id{"a"}));
}

TEST_CASE("the first of two hosts keeps a name, the other is told",
          "[coordinator][lineage]") {
  auto unit = lineage{};
  unit.apply(page("h1", {sandbox("a")}));
  const auto problems = unit.apply(page("h2", {sandbox("a")}));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].host == host_name{"h2"});
  CHECK(problems[0].message.find("h1") != std::string::npos);
  CHECK(unit.find(sandbox_id{"a"})->host == host_name{"h1"});
  CHECK(unit.apply(page("h2", {sandbox("a")})).empty());
  unit.drop(sandbox_id{"a"}, {"h1"});
  CHECK(unit.find(sandbox_id{"a"})->host == host_name{"h2"});
}

TEST_CASE("a name that would not be safe as a path is refused",
          "[coordinator][lineage][safety]") {
  auto unit = lineage{};
  const auto problems =
    unit.apply(page("h1", {sandbox("../x"), sandbox("ok")}, {snapshot("")}));
  CHECK(problems.size() == 2);
  CHECK(unit.find(sandbox_id{"ok"}));
  CHECK(unit.list(sandboxes_request{}).sandboxes.size() == 1);
}

TEST_CASE("a removed parent is remembered while something came of it",
          "[coordinator][lineage]") {
  auto unit = lineage{};
  unit.apply(page("h1", {sandbox("child", "s2")},
                  {snapshot("s1"), snapshot("s2", "s1")}));
  unit.drop(snapshot_tag{"s2"}, {"h1"});
  unit.drop(snapshot_tag{"s1"}, {"h1"});
  CHECK_FALSE(unit.find(snapshot_tag{"s2"}));
  CHECK(unit.has_ancestor({"s2"}));
  CHECK(unit.has_ancestor({"s1"}));
  unit.drop(sandbox_id{"child"}, {"h1"});
  CHECK_FALSE(unit.has_ancestor({"s2"}));
  CHECK_FALSE(unit.has_ancestor({"s1"}));
}

TEST_CASE("a host cannot claim names without end", "[coordinator][lineage]") {
  auto unit = lineage{};
  for (std::size_t i = 0; i < lineage::names_per_host_max; ++i)
    REQUIRE(unit.apply(page("h1", {sandbox("s" + std::to_string(i))})).empty());
  CHECK(unit.apply(page("h1", {sandbox("more")})).size() == 1);
  CHECK(unit.apply(page("h1", {sandbox("s7")})).empty());
  CHECK(unit.apply(page("h2", {sandbox("more")})).empty());
}

TEST_CASE("lists come in pages that meet", "[coordinator][lineage]") {
  auto unit = lineage{};
  for (int i = 0; i < 250; ++i)
    unit.apply(page("h1", {}, {snapshot("s" + std::to_string(1000 + i))}));
  auto request = snapshots_request{};
  auto sizes = std::vector<std::size_t>{};
  for (auto more = true; more;) {
    const auto list = unit.list(request);
    sizes.push_back(list.snapshots.size());
    request.after = list.snapshots.back().tag;
    more = list.more;
  }
  CHECK(sizes == std::vector<std::size_t>{100, 100, 50});
}

TEST_CASE("a page of a list fits into a message, whatever its entries hold",
          "[coordinator][lineage][safety]") {
  auto names = lineage{};
  for (auto i = 0; i < 20; ++i)
    names.learn(
      sandbox_info{.id = {"box-" + std::to_string(100 + i)},
                   .host = {"h1"},
                   .note = std::string(i == 7 ? 300'000 : 30'000, 'n')});
  auto request = sandboxes_request{};
  auto seen = std::size_t{0};
  for (auto more = true; more;) {
    const auto page = names.list(request);
    REQUIRE_FALSE(page.sandboxes.empty());
    CHECK(schema::wire_size(page) < frame_payload_max);
    seen += page.sandboxes.size();
    request.after = page.sandboxes.back().id;
    more = page.more;
  }
  CHECK(seen == 20);
}

TEST_CASE("the lineage agrees with a naive one, and every edge leads somewhere",
          "[coordinator][lineage][property]") {
  using place = std::pair<std::string, std::string>; // host, tag
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    auto dice = std::mt19937{seed};
    const auto any_tag = [&] { return "s" + std::to_string(dice() % 8); };
    const auto any_host = [&] { return "h" + std::to_string(dice() % 3); };
    auto unit = lineage{};
    auto model = std::map<place, std::string>{}; // to its parent
    for (int step = 0; step < 120; ++step) {
      const auto host = any_host();
      const auto tag = any_tag();
      const auto parent = dice() % 2 ? any_tag() : std::string{};
      if (dice() % 3) {
        unit.apply(page(host, {}, {snapshot(tag, parent)}));
        model[{host, tag}] = parent == tag ? "" : parent;
      } else {
        unit.drop(snapshot_tag{tag}, {host});
        model.erase({host, tag});
      }
      for (const auto& [where, came_from] : model) {
        REQUIRE(unit.find(snapshot_tag{where.second}));
        REQUIRE((came_from.empty() || unit.has_ancestor({came_from})));
      }
      const auto list = unit.list(snapshots_request{}).snapshots;
      for (const auto& info : list)
        REQUIRE(model.contains({info.host.value, info.tag.value}));
    }
  }
}
