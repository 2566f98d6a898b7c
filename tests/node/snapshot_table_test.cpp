// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_table.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

/// A snapshot whose root hash is its tag in capitals.
table_entry entry(const std::string& tag, const std::string& root,
                  snapshot_ref base = {}) {
  const bool is_flat = base == snapshot_ref{};
  return {.info = {.tag = {tag}, .root_hash = root, .memory_bytes = 4096},
          .base = std::move(base),
          .is_flat = is_flat};
}

struct table_fixture {
  snapshot_table table;

  table_fixture() {
    table.add(entry("a", "A"));
    table.add(entry("b", "B", {{"a"}, "A"}));
    table.add(entry("c", "C", {{"b"}, "B"}));
    table.add(entry("d", "D", {{"b"}, "B"}));
  }
};

} // namespace

TEST_CASE_METHOD(table_fixture, "a chain goes down to what is flat",
                 "[storage][snapshot_table]") {
  CHECK(table.chain_of({"c"})
        == std::vector<snapshot_tag>{{"c"}, {"b"}, {"a"}});
  CHECK(table.chain_of({"a"}) == std::vector<snapshot_tag>{{"a"}});
  CHECK(table.describe(*table.find({"c"})).depth == 2);
  table.set_flat({"b"}, 5);
  CHECK(table.chain_of({"c"}) == std::vector<snapshot_tag>{{"c"}, {"b"}});
  CHECK(table.describe(*table.find({"b"})).base == snapshot_tag{});
  CHECK(table.needing({"a"}).empty());
  CHECK(table.chain_of({"x"}).error().code == ec::unknown_snapshot);
}

TEST_CASE_METHOD(table_fixture, "who needs a snapshot is known",
                 "[storage][snapshot_table]") {
  CHECK(table.needing({"a"}) == std::vector<snapshot_tag>{{"b"}});
  CHECK(table.needing({"b"}) == std::vector<snapshot_tag>{{"c"}, {"d"}});
  CHECK(table.needing({"c"}).empty());
}

TEST_CASE_METHOD(table_fixture, "a base is what was sealed here, or the parent",
                 "[storage][snapshot_table][safety]") {
  const auto tag_of = [this](const char* root, const char* parent) {
    const auto* const found = table.find_base(root, {parent});
    return found == nullptr ? std::string{} : found->info.tag.value;
  };
  auto imported = entry("a-copy", "B");
  imported.info.origin = snapshot_origin::imported;
  table.add(imported);
  // Nothing is known of how b came here, and the copy is no base.
  CHECK(tag_of("B", "").empty());
  CHECK(tag_of("B", "a-copy") == "a-copy");
  CHECK(tag_of("B", "b") == "b");
  auto sealed = entry("b", "B", {{"a"}, "A"});
  sealed.info.origin = snapshot_origin::sealed;
  table.add(sealed);
  CHECK(tag_of("B", "") == "b");
  CHECK(tag_of("B", "a") == "b");
  CHECK(tag_of("X", "b").empty());
  CHECK(tag_of("", "").empty());
}

TEST_CASE_METHOD(table_fixture, "the next place is behind all others",
                 "[storage][snapshot_table]") {
  CHECK(table.next_sequence() == 1);
  auto late = entry("late", "L");
  late.info.sequence = 41;
  table.add(late);
  CHECK(table.next_sequence() == 42);
}

TEST_CASE_METHOD(table_fixture, "what has no whole chain is dropped",
                 "[storage][snapshot_table][safety]") {
  SECTION("the base is missing") {
    table.erase({"a"});
  }
  SECTION("the base is another") {
    table.add(entry("a", "X"));
  }
  SECTION("the chain is a ring") {
    table.add(entry("a", "A", {{"c"}, "C"}));
  }
  CHECK(table.drop_broken().size() >= 3);
  CHECK(table.find({"b"}) == nullptr);
  CHECK(table.find({"c"}) == nullptr);
  CHECK(table.drop_broken().empty());
}

TEST_CASE("a long list of tags is cut short", "[storage][snapshot_table]") {
  CHECK(join_tags({{"a"}}) == "a");
  CHECK(join_tags({{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}, {"g"}})
        == "a, b, c, d, e and 2 more");
}
