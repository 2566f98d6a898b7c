// SPDX-License-Identifier: Apache-2.0
#include "node/limits/lineage_limits.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

using snapshot_map = std::map<snapshot_tag, snapshot_info>;

void add(snapshot_map& known, const std::string& tag, const std::string& source,
         const std::string& parent, uint64_t bytes = 10) {
  known[{tag}] = {.tag = {tag},
                  .source = {source},
                  .parent = {parent},
                  .stored_bytes = bytes};
}

std::string refusal(const status& x) {
  return x ? std::string{} : to_string(x.error());
}

} // namespace

TEST_CASE("children of a snapshot are limited", "[node][lineage_limits]") {
  CHECK(check_child({}, {"a"}, 1000));
  const auto limits = config::limits_section{.children_per_snapshot = 2};
  CHECK(check_child(limits, {"a"}, 1));
  CHECK(refusal(check_child(limits, {"a"}, 2))
        == "limit_reached: snapshot a has 2 sandboxes, and "
           "limits.children_per_snapshot in the fleet file is 2; stop some, "
           "or raise it");
}

TEST_CASE("a line of snapshots is limited", "[node][lineage_limits]") {
  snapshot_map known;
  add(known, "a", "root", "");
  add(known, "b", "child", "a");
  const auto limits = config::limits_section{.lineage_depth = 2};
  CHECK(check_snapshot(limits, {"root"}, {}, known));
  CHECK(check_snapshot(limits, {"child"}, {"a"}, known));
  CHECK(refusal(check_snapshot(limits, {"grandchild"}, {"b"}, known))
          .starts_with("limit_reached: a snapshot of grandchild would be "
                       "number 3 in its line"));
  CHECK(check_snapshot({}, {"grandchild"}, {"b"}, known));
}

TEST_CASE("a line that bites its tail has an end",
          "[node][lineage_limits][safety]") {
  snapshot_map known;
  add(known, "a", "x", "b");
  add(known, "b", "y", "a");
  CHECK_FALSE(check_snapshot({.lineage_depth = 2}, {"y"}, {"a"}, known));
}

TEST_CASE("what a source's snapshots take is limited",
          "[node][lineage_limits]") {
  snapshot_map known;
  add(known, "a", "s", "", 60);
  add(known, "b", "t", "", 60);
  const auto limits = config::limits_section{.source_bytes = {100}};
  CHECK(check_snapshot(limits, {"s"}, {}, known));
  add(known, "c", "s", "", 40);
  CHECK(refusal(check_snapshot(limits, {"s"}, {}, known))
          .starts_with("limit_reached: the snapshots of s take 100 bytes"));
  CHECK(check_snapshot(limits, {"t"}, {}, known));
}
