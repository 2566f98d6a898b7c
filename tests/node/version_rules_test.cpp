// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/version_rules.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::firecracker;

TEST_CASE("a version is read as Firecracker tells it",
          "[node][version_rules]") {
  CHECK(parse_version("1.12.0") == vmm_version{1, 12, 0});
  CHECK(parse_version("v1.4.1") == vmm_version{1, 4, 1});
  CHECK(parse_version("1.17.0-dev") == vmm_version{1, 17, 0});
  const auto* text = GENERATE("", "1", "1.2", "1.2.", "1.2.x", "1.2.3.4");
  CHECK(parse_version(text).error().code == ec::unsupported);
}

TEST_CASE("a snapshot belongs to the line that wrote it",
          "[node][version_rules]") {
  CHECK(is_same_line({1, 12, 0}, {1, 12, 3}));
  CHECK_FALSE(is_same_line({1, 12, 0}, {1, 13, 0}));
  CHECK_FALSE(is_same_line({1, 12, 0}, {2, 12, 0}));
}

TEST_CASE("what was added to Firecracker is not asked of older ones",
          "[node][version_rules]") {
  CHECK_FALSE(rules_of({1, 5, 1}).keeps_memory_file);
  CHECK(rules_of({1, 6, 0}).keeps_memory_file);
  CHECK_FALSE(rules_of({1, 7, 0}).full_resets_tracking);
  CHECK(rules_of({1, 8, 0}).full_resets_tracking);
  CHECK(rules_of({1, 12, 1}).tracking_key
        == std::string{"enable_diff_snapshots"});
  CHECK(rules_of({1, 13, 0}).tracking_key == std::string{"track_dirty_pages"});
  CHECK_FALSE(rules_of({1, 12, 1}).diff_without_tracking);
  CHECK_FALSE(rules_of({1, 13, 1}).has_serial);
  CHECK(rules_of({1, 14, 0}).has_serial);
}

TEST_CASE("a diff that a version would damage is refused",
          "[node][version_rules][safety]") {
  constexpr uint64_t gib = 1ull << 30;
  CHECK_FALSE(diff_obstacle({1, 14, 0}, 4 * gib).empty());
  CHECK_FALSE(diff_obstacle({1, 14, 1}, 3 * gib + 1).empty());
  CHECK(diff_obstacle({1, 14, 1}, 3 * gib).empty());
  CHECK(diff_obstacle({1, 14, 2}, 4 * gib).empty());
  CHECK(diff_obstacle({1, 13, 1}, 4 * gib).empty());
}
