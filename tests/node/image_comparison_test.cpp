// SPDX-License-Identifier: Apache-2.0
#include "node/storage/image_comparison.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t memory_bytes = 64 * page;

struct comparison_fixture {
  scratch_directory home;
  store_world world{home.path() + "/node", memory_bytes};
  std::mt19937 dice{5};

  comparison_fixture() { REQUIRE(world.branch("op-base", "base", 3)); }

  void diff(const std::string& tag, const std::string& base) {
    auto model = world.memory_of(base);
    REQUIRE(world.branch_over(
      world.request_over("op-" + tag, tag, base),
      [&](memory_sink& sink) { REQUIRE(change(dice, sink, model, 8)); }));
  }

  /// The pages that differ, by reading all.
  std::vector<memory_run> wanted(const std::string& a, const std::string& b) {
    const auto left = world.memory_of(a);
    const auto right = world.memory_of(b);
    std::vector<memory_run> result;
    for (uint64_t at = 0; at < memory_bytes; at += page) {
      const auto from = static_cast<std::ptrdiff_t>(at);
      const auto to = static_cast<std::ptrdiff_t>(at + page);
      if (std::equal(left.begin() + from, left.begin() + to,
                     right.begin() + from))
        continue;
      if (result.empty() || result.back().offset + result.back().bytes != at)
        result.push_back({.offset = at});
      result.back().bytes += page;
    }
    return result;
  }
};

} // namespace

TEST_CASE_METHOD(comparison_fixture, "a comparison finds just what differs",
                 "[storage][image_comparison][property]") {
  diff("a", "base");
  diff("b", "a");
  diff("c", "base");
  const std::vector<std::string> names{"base", "a", "b", "c"};
  for (const auto& x : names)
    for (const auto& y : names) {
      CAPTURE(x, y);
      const auto found = world->compare({x}, {y}, {});
      REQUIRE(found);
      const auto table = wanted(x, y);
      CHECK(found->table == table);
      CHECK(found->runs == table.size());
      uint64_t bytes = 0;
      for (const auto& run : table)
        bytes += run.bytes;
      CHECK(found->pages * page == bytes);
      CHECK(found->shared_bytes + found->read_bytes == memory_bytes);
      CHECK((x != y || found->read_bytes == 0));
    }
}

TEST_CASE_METHOD(comparison_fixture, "a comparison ends when it is asked to",
                 "[storage][image_comparison]") {
  diff("a", "base");
  const auto ended = world->compare({"base"}, {"a"}, [] { return true; });
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ec::interrupted);
  CHECK(world->compare({"base"}, {"none"}, {}).error().code
        == ec::unknown_snapshot);
}
