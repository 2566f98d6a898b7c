// SPDX-License-Identifier: Apache-2.0
#include "config/uid_range.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("a range of users has both of its ends", "[config][uid_range]") {
  const auto range = parse_uid_range("4000000000-4000000009");
  REQUIRE(range);
  CHECK(range->size() == 10);
  CHECK(range->contains(4'000'000'000));
  CHECK(range->contains(4'000'000'009));
  CHECK_FALSE(range->contains(3'999'999'999));
  CHECK_FALSE(range->contains(4'000'000'010));
  CHECK_FALSE(range->contains(0));
}

TEST_CASE("none is a range without users", "[config][uid_range]") {
  const auto range = parse_uid_range("none");
  REQUIRE(range);
  CHECK(range->empty());
  CHECK(range->size() == 0);
  CHECK_FALSE(range->contains(0));
}

TEST_CASE("root, the host's users and no user are no VM's",
          "[config][uid_range][safety]") {
  const auto* text =
    GENERATE("", "0-10", "1000-2000", "65535-70000", "70000",
             "4000000000-4294967295", "70000-4294967296", "80000-70000", "-",
             "70000-", "-70000", "70000-80000x", "0x10000-0x20000");
  const auto range = parse_uid_range(text);
  REQUIRE_FALSE(range);
  CHECK(range.error().code == ec::invalid_request);
}
