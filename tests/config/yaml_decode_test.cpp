// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_decode.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

struct decoding {
  fleet_file fleet = {};
  place_map places = {};
  std::vector<problem> problems = {};
};

decoding decode(std::string_view text) {
  decoding result;
  problem_list problems{"f"};
  result.places = decode_yaml(
    text, schema::shape_of<fleet_file>(), &result.fleet,
    [](const auto&) { return std::nullopt; }, problems);
  result.problems = std::move(problems).sorted();
  return result;
}

std::string first_problem(std::string_view text) {
  const auto result = decode(text);
  return result.problems.empty() ? "" : to_string(result.problems.front());
}

constexpr auto head = "version: 1\nhosts:\n";

} // namespace

TEST_CASE("what the text gives is set, the rest keeps its default",
          "[config][yaml_decode]") {
  const auto result = decode("version: 1\nbranch: {deadline: 2min}\n"
                             "hosts:\n  - name: a\n  - {name: b}\n");
  CHECK(result.problems.empty());
  CHECK(result.fleet.branch.deadline == milliseconds{120000});
  CHECK(result.fleet.branch.pause_max == branch_section{}.pause_max);
  REQUIRE(result.fleet.hosts.size() == 2);
  CHECK(result.fleet.hosts[1].name.value == "b");
}

TEST_CASE("every value has its place", "[config][yaml_decode]") {
  const auto result = decode("version: 1\nhosts:\n  - name: a\n    data: d\n");
  CHECK(result.places.at("hosts").line == 2);
  CHECK(result.places.at("hosts[0]").column == 5);
  CHECK(result.places.at("hosts[0].data").line == 4);
  CHECK(result.places.at("hosts[0].data").column == 11);
}

TEST_CASE("aliases stand for what they name", "[config][yaml_decode]") {
  const auto result = decode("version: 1\nname: &n fleet-1\nhosts:\n"
                             "  - &h {name: a, data: x}\n  - *h\n"
                             "state: *n\n");
  CHECK(result.problems.empty());
  CHECK(result.fleet.state == "fleet-1");
  CHECK(result.fleet.hosts.at(0) == result.fleet.hosts.at(1));
}

TEST_CASE("aliases cannot make a small file huge",
          "[config][yaml_decode][safety]") {
  std::string text = "version: 1\nhosts:\n  - name: a\n";
  text += "x: &a [" + std::string(100, ' ');
  for (int i = 0; i < 5000; ++i)
    text += "b,";
  text += "c]\nsandboxes:\n";
  for (int i = 0; i < 200; ++i)
    text += "  - {name: s, host: a, qemu_arguments: *a}\n";
  const auto result = decode(text);
  const auto is_limit = [](const problem& x) {
    return x.message == "is too much";
  };
  CHECK(std::count_if(result.problems.begin(), result.problems.end(), is_limit)
        == 1);
}

TEST_CASE("an alias inside itself ends in a problem",
          "[config][yaml_decode][safety]") {
  CHECK(first_problem(std::string{head} + "  - &a [*a]\n")
        == "f:3:5: hosts[0]: must be a map of keys, not a list");
}

TEST_CASE("a list has a limit", "[config][yaml_decode]") {
  auto text = std::string{head} + "  - name: a\nsandboxes: [";
  for (std::size_t i = 0; i <= list_length_max; ++i)
    text += "a,";
  CHECK(first_problem(text + "]\n")
        == "f:4:1: sandboxes: has more than 10000 elements");
}

TEST_CASE("a hostile text ends in one problem and in no crash",
          "[config][yaml_decode][safety]") {
  const std::size_t n = 100'000;
  const auto* unit = GENERATE("[", "{", "- ", "? ", "{a: ", "[a, ", "!", "&a ",
                              "\"\\n", "a: b: ", "---\n", ",", "%", ">\n", "'");
  std::string text;
  while (text.size() < n)
    text += unit;
  CAPTURE(unit);
  CHECK_FALSE(decode(text).problems.empty());
  CHECK_FALSE(decode("version: 1\nhosts: " + text).problems.empty());
}

TEST_CASE("a text at which the parser stands still is refused",
          "[config][yaml_decode][safety]") {
  const auto* text = GENERATE(",", ",\nversion: 1\n", "# a\n  , b\n", "? ,",
                              "- a\n,", "--- ,", "...\n,");
  CAPTURE(text);
  CHECK(decode(text).problems.size() == 1);
  CHECK(first_problem(",")
        == "f:1:1: is not valid YAML (begin with "
           "'version: 1')");
}

TEST_CASE("any cut of a good file is told as wrong or loaded",
          "[config][yaml_decode][property]") {
  const std::string text = "version: 1\nname: \"f\"\nhosts:\n  - {name: 'a'}\n"
                           "  - &b\n    name: b # last\nstate: >-\n  x\n  y\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto result = decode(std::string_view{text}.substr(0, i));
    CAPTURE(i);
    CHECK((!result.problems.empty() || !result.fleet.hosts.empty()));
  }
}

TEST_CASE("a byte order mark and carriage returns do not move places",
          "[config][yaml_decode]") {
  CHECK(first_problem("\xEF\xBB\xBFversion: x\r\nhosts: []\r\n")
        == "f:1:10: version: must be a whole number, not 'x'");
  CHECK(first_problem("version: 1\r\nhosts: x\r\n")
          .starts_with("f:2:8: hosts: must be a list"));
}
