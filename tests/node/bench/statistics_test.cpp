// SPDX-License-Identifier: Apache-2.0
#include "node/bench/statistics.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;
using namespace std::chrono_literals;

TEST_CASE("a quantile is a value of the series", "[node][bench]") {
  CHECK(quantile({}, 50) == 0us);
  CHECK(quantile({7us}, 90) == 7us);
  CHECK(quantile({2us, 1us}, 50) == 1us);
  CHECK(quantile({3us, 1us, 2us}, 50) == 2us);
  CHECK(quantile({3us, 1us, 2us}, 100) == 3us);
  CHECK(quantile({3us, 1us, 2us}, 0) == 1us);
}

TEST_CASE("a chain that grows slower shows in its halves", "[node][bench]") {
  const auto x = summarize({1us, 2us, 3us, 10us, 30us, 20us, 40us});
  CHECK(x.count == 7);
  CHECK(x.first_half_p50 == 2us);
  CHECK(x.second_half_p50 == 20us);
  CHECK(x.p50 == 10us);
  CHECK(x.p90 == 40us);
  CHECK(x.max == 40us);
  CHECK(summarize({}) == summary{});
}

TEST_CASE("a ratio to nothing is finite", "[node][bench]") {
  CHECK(ratio(10us, 4us) == 2.5);
  CHECK(ratio(10us, 0us) == 10.0);
}

TEST_CASE("no arm always comes after the same", "[node][bench]") {
  CHECK(rotated(3, 0) == std::vector<std::size_t>{0, 1, 2});
  CHECK(rotated(3, 1) == std::vector<std::size_t>{1, 2, 0});
  CHECK(rotated(3, 5) == std::vector<std::size_t>{2, 0, 1});
  CHECK(rotated(0, 1).empty());
}
