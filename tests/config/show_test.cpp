// SPDX-License-Identifier: Apache-2.0
#include <random>

#include <catch2/catch.hpp>

#include "config/load.hpp"
#include "config/problem_list.hpp"
#include "config/yaml_decode.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

std::optional<std::string> no_variables(const std::string&) {
  return std::nullopt;
}

} // namespace

TEST_CASE("a fleet that is shown and loaded is the same", "[config][show]") {
  const auto first = load("config/fleet.yaml");
  REQUIRE(first.fleet);
  const auto second = load_text(show(*first.fleet), "elsewhere/f.yaml");
  REQUIRE(second.fleet);
  CHECK(*second.fleet == *first.fleet);
}

TEST_CASE("what a YAML reader could misread is quoted",
          "[config][show][safety]") {
  fleet_file fleet;
  fleet.sandboxes = {{.append = "a=$b \"c\\"}};
  fleet.sandboxes[0].qemu_arguments = {"yes", "010", "-s", "", "a: b", "#x"};
  const auto text = show(fleet);
  CHECK(text.find(R"(append: "a=$$b \"c\\")") != text.npos);
  for (const auto* quoted :
       {"\"yes\"", "\"010\"", "\"-s\"", "\"\"", "\"a: b\"", "\"#x\""})
    CHECK(text.find(std::string{"- "} + quoted) != text.npos);
}

TEST_CASE("defaults are written out", "[config][show]") {
  const auto text = show(fleet_file{});
  CHECK(text.find("  heartbeat: 1s\n") != text.npos);
  CHECK(text.find("  reserve: best-effort\n") != text.npos);
  CHECK(text.find("sandboxes: []\n") != text.npos);
}

TEST_CASE("any fleet survives YAML", "[config][show][property]") {
  std::mt19937_64 dice{23};
  for (int i = 0; i < 300; ++i) {
    auto fleet = test::random_value<fleet_file>(dice);
    const auto& shape = schema::shape_of<fleet_file>();
    // Only what nothing but a decoder may hold is taken back: empty names,
    // and times that are negative or too long for nanoseconds.
    fleet.coordinator.heartbeat = fleet.coordinator.node_timeout =
      fleet.branch.deadline = milliseconds{dice() % 1'000'000};
    fleet.branch.pause_max = milliseconds{dice() % 1'000'000};
    fleet.branch.max_pause = milliseconds{dice() % 1'000'000};
    fleet.retention.sweep = milliseconds{dice() % 1'000'000};
    for (auto& rule : fleet.retention.rules)
      rule.ttl = milliseconds{dice() % 1'000'000};
    const auto text = show(fleet);
    CAPTURE(text);
    fleet_file again;
    problem_list problems{"f"};
    decode_yaml(text, shape, &again, no_variables, problems);
    for (const auto& each : std::move(problems).sorted())
      REQUIRE(each.message == "must not be empty");
    REQUIRE(again == fleet);
  }
}
