// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_options.hpp"

#include <sstream>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

TEST_CASE("each line of JSON is a child", "[actors][shell][fork]") {
  std::istringstream in{R"({"name": "a", "environment": ["X=1"]}

{"seed": "7", "files": [{"path": "/t", "content": "Zg=="}]}
{}
)"};
  const auto lines = read_child_lines(in, "tasks", 10);
  REQUIRE(lines);
  REQUIRE(lines->size() == 3);
  CHECK(lines->at(0).name == "a");
  CHECK(lines->at(0).input.environment == std::vector<std::string>{"X=1"});
  CHECK(lines->at(1).input.seed == "7");
  CHECK(lines->at(1).input.files.at(0).path == "/t");
  CHECK(lines->at(2).input == child_input{});
}

TEST_CASE("a wrong line is named", "[actors][shell][fork]") {
  const auto [text, named] = GENERATE(table<std::string, std::string>({
    {"{}\n{\n", "tasks:2"},
    {"[]\n", "tasks:1"},
    {R"({"name": 7})", "name"},
    {R"({"hostnam": "x"})", "hostnam"},
    {"{}\n{}\n{}\n{}\n", "tasks:4: more than 3"},
    {"\n", "no child"},
  }));
  std::istringstream in{text};
  const auto lines = read_child_lines(in, "tasks", 3);
  REQUIRE_FALSE(lines);
  CHECK(lines.error().code == ec::invalid_request);
  CHECK(lines.error().message.find(named) != std::string::npos);
}

TEST_CASE("a line adds to what all children get", "[actors][shell][fork]") {
  const child_input all{.hostname = "h", .environment = {"A=1"}, .seed = "s"};
  const auto own = merge(all, {.environment = {"A=2"}, .seed = "t"});
  CHECK(own.hostname == "h");
  CHECK(own.environment == std::vector<std::string>{"A=1", "A=2"});
  CHECK(own.seed == "t");
}
