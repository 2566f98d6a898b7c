// SPDX-License-Identifier: Apache-2.0
#include "config/problem_list.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::config;

TEST_CASE("a problem shows its line with a caret under its place",
          "[config][problem_list]") {
  const problem x{"f.yaml", 2, 5, "a.b", "is wrong", "write 1"};
  CHECK(to_string(x) == "f.yaml:2:5: a.b: is wrong (write 1)");
  CHECK(to_string(x, "a:\n\tb: 2\r\n")
        == "f.yaml:2:5: a.b: is wrong (write 1)\n"
           "    2 | \tb: 2\n"
           "      | \t   ^");
}

TEST_CASE("a caret stands under a character, whatever its bytes",
          "[config][problem_list]") {
  const problem x{"f", 1, 3, "", "no", ""};
  CHECK(to_string(x, "\u00e9\u00e9x")
        == "f:1:3: no\n    1 | \u00e9\u00e9x\n      |   ^");
}

TEST_CASE("what would disturb a terminal is not shown",
          "[config][problem_list][safety]") {
  const problem x{"f", 1, 1, "", "no", ""};
  CHECK(to_string(x, "a\x1b[2J\xff") == "f:1:1: no\n    1 | a?[2J?\n      | ^");
}

TEST_CASE("a line that is not there or too long is left out",
          "[config][problem_list]") {
  const problem x{"f", 3, 1, "", "no", ""};
  CHECK(to_string(x, "a\n") == "f:3:1: no");
  CHECK(to_string(x, "a\nb\n" + std::string(201, 'x')) == "f:3:1: no");
}

TEST_CASE("problems come in the order of their places",
          "[config][problem_list]") {
  problem_list list{"f"};
  list.add("c", {2, 1}, {"third"});
  list.add("a", {1, 9}, {"second"});
  list.add("b", {1, 2}, {"first"});
  list.add("d", {2, 1}, {"fourth"});
  list.add("e", {1, 1}, {});
  const auto sorted = std::move(list).sorted();
  REQUIRE(sorted.size() == 4);
  CHECK(sorted[0].message == "first");
  CHECK(sorted[1].message == "second");
  CHECK(sorted[3].message == "fourth");
}

TEST_CASE("no more than 100 problems are told", "[config][problem_list]") {
  problem_list list{"f"};
  for (std::size_t i = 0; i < 150; ++i)
    list.add("x", {150 - i, 1}, {"wrong"});
  const auto sorted = std::move(list).sorted();
  REQUIRE(sorted.size() == problems_max);
  CHECK(sorted.front().line == 1);
  CHECK(sorted.back().line == 100);
}

TEST_CASE("what stands nowhere is found at what is around it",
          "[config][problem_list]") {
  const place_map places{{"", {1, 1}}, {"hosts[1]", {5, 3}}};
  CHECK(find_place(places, "hosts[1].tls.key").line == 5);
  CHECK(find_place(places, "hosts[0].name").line == 1);
  CHECK(find_place({}, "x").line == 1);
}

TEST_CASE("the place of a byte counts characters", "[config][problem_list]") {
  const std::string_view text = "a\n\u00e9b";
  CHECK(place_of(text, 4).line == 2);
  CHECK(place_of(text, 4).column == 2);
}
