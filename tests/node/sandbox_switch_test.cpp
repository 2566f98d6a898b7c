// SPDX-License-Identifier: Apache-2.0
#include "node/sandbox_switch.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

snapshot_info snapshot(const std::string& tag, const std::string& source,
                       const std::string& parent = {}) {
  return {.tag = {tag},
          .source = {source},
          .parent = {parent},
          .driver = "qemu",
          .memory_bytes = 1024};
}

sandbox_info sandbox(const std::string& id, const std::string& parent = {}) {
  return {
    .id = {id}, .driver = "qemu", .memory_bytes = 1024, .parent = {parent}};
}

snapshot_map map_of(const std::vector<snapshot_info>& all) {
  snapshot_map result;
  for (const auto& x : all)
    result[x.tag] = x;
  return result;
}

} // namespace

TEST_CASE("what was taken of a sandbox or what it came from is its lineage",
          "[node][sandbox_switch]") {
  const auto all =
    map_of({snapshot("base", "root"), snapshot("mid", "kid", "base"),
            snapshot("other", "else")});
  const auto box = sandbox("web", "mid");
  CHECK(is_own_lineage(box, snapshot("t", "web"), all));
  CHECK(is_own_lineage(box, all.at({"mid"}), all));
  CHECK(is_own_lineage(box, all.at({"base"}), all));
  CHECK_FALSE(is_own_lineage(box, all.at({"other"}), all));
}

TEST_CASE("a circle of parents has an end", "[node][sandbox_switch]") {
  const auto all = map_of({snapshot("a", "x", "b"), snapshot("b", "x", "a")});
  CHECK_FALSE(is_own_lineage(sandbox("web", "a"), snapshot("c", "y"), all));
}

TEST_CASE("a rollback takes its own lineage, by force any of the same shape",
          "[node][sandbox_switch]") {
  const auto foreign = snapshot("t", "else");
  CHECK(check_rollback(sandbox("web"), foreign, false, {}).error().code
        == ec::invalid_request);
  CHECK(check_rollback(sandbox("web"), foreign, true, {}));
  CHECK(check_rollback(sandbox("web"), snapshot("t", "web"), false, {}));
  auto other = snapshot("t", "web");
  other.memory_bytes = 2048;
  CHECK(check_rollback(sandbox("web"), other, true, {}).error().code
        == ec::unsupported);
  auto attached = sandbox("web");
  attached.origin = sandbox_origin::attached;
  CHECK(check_rollback(attached, snapshot("t", "web"), true, {}).error().code
        == ec::unsupported);
}

TEST_CASE("a new place is free, and a name", "[node][sandbox_switch]") {
  CHECK(free_place({"web"}, {}).value == "web");
  CHECK(free_place({"web"}, {{"web"}, {"web-2"}}).value == "web-3");
  const sandbox_id longest{std::string(sandbox_id_tag::length_max, 'x')};
  const auto place = free_place(longest, {longest});
  CHECK(place != longest);
  CHECK(is_valid(place));
}

TEST_CASE("of several records under one name the last finished one has it",
          "[node][sandbox_switch][safety]") {
  auto records = std::vector<sandbox_record>{
    {.id = {"web"}, .life = 1},
    {.id = {"web"}, .place = {"web-2"}, .life = 2},
    {.id = {"web"}, .is_unfinished = true, .place = {"web-3"}, .life = 3},
    {.id = {"alone"}, .is_unfinished = true}};
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return place_of(a) < place_of(b);
  });
  do {
    auto kept = records;
    const auto replaced = take_replaced(kept);
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].id.value == "alone");
    CHECK(place_of(kept[1]).value == "web-2");
    CHECK(replaced.size() == 2);
  } while (std::next_permutation(
    records.begin(), records.end(),
    [](const auto& a, const auto& b) { return place_of(a) < place_of(b); }));
}
