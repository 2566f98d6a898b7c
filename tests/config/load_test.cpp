// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <catch2/catch.hpp>

#include "actors/schema/json_text.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

constexpr auto shipped = "config/fleet.yaml";

std::string content_of(const std::string& path) {
  std::ostringstream result;
  result << std::ifstream{path}.rdbuf();
  return result.str();
}

/// The shipped file with its examples in comments taken away.
fleet_file shipped_fleet() {
  auto result = load(shipped);
  for (const auto& each : result.problems)
    UNSCOPED_INFO(to_string(each));
  REQUIRE(result.fleet);
  return *result.fleet;
}

void names_all_keys(const schema::type_shape& shape, const std::string& text) {
  for (const auto& field : shape.fields) {
    CAPTURE(shape.name, field.name);
    CHECK(text.find(std::string{field.name} + ":") != std::string::npos);
    const auto& type = field.type();
    const auto& inner = type.what == schema::kind::list ? type.element() : type;
    names_all_keys(inner, text);
  }
}

} // namespace

TEST_CASE("the shipped file gives every key its default", "[config][load]") {
  auto fleet = shipped_fleet();
  const fleet_file fresh;
  CHECK(fleet.version == fresh.version);
  CHECK(fleet.name == fresh.name);
  CHECK(fleet.branch == fresh.branch);
  fleet.coordinator.data.clear();
  CHECK(fleet.coordinator == fresh.coordinator);
  REQUIRE(fleet.hosts.size() == 1);
  fleet.hosts[0].data.clear();
  fleet.hosts[0].archives.clear();
  fleet.hosts[0].network_range.clear();
  CHECK(fleet.hosts[0] == host_section{.name = {"local"}});
  REQUIRE(fleet.sandboxes.size() == 1);
  fleet.sandboxes[0].kernel.clear();
  CHECK(fleet.sandboxes[0]
        == sandbox_section{.name = {"first"}, .host = {"local"}});
}

TEST_CASE("the shipped file names every key", "[config][load]") {
  names_all_keys(schema::shape_of<fleet_file>(), content_of(shipped));
}

TEST_CASE("what the shipped file has in comments can be used",
          "[config][load]") {
  const auto is_key = [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_' || c == ' ' || c == '-';
  };
  std::istringstream lines{content_of(shipped)};
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const auto hash = line.find_first_not_of(' ');
    const auto name = line.substr(0, line.find(':'));
    // Prose has capitals, dots and commas before its first colon, if any.
    if (hash != line.npos && line[hash] == '#' && name.size() < line.size()
        && line.find('$') == line.npos
        && std::all_of(name.begin() + static_cast<long>(hash) + 1, name.end(),
                       is_key))
      line.erase(hash, 2);
    if (line.find("disks: []") == line.npos
        && line.find("denied: []") == line.npos
        && line.find("rules: []") == line.npos)
      text += line + "\n";
  }
  const auto result = load_text(text, shipped);
  // The kernel and the disks beside attach.
  for (const auto& each : result.problems)
    UNSCOPED_INFO(each.path + ": " + each.message);
  REQUIRE(result.problems.size() == 2);
  for (const auto& each : result.problems)
    CHECK(each.message == "has no meaning for a VM that somebody else started");
}

TEST_CASE("a file that is not there is one problem", "[config][load]") {
  const auto result = load("/nowhere/fleet.yaml");
  CHECK_FALSE(result.fleet);
  REQUIRE(result.problems.size() == 1);
  CHECK(to_string(result.problems[0])
        == "/nowhere/fleet.yaml:1:1: cannot be read: No such file or "
           "directory");
}

TEST_CASE("a damaged file is either loaded or told to be wrong",
          "[config][load][property]") {
  constexpr std::string_view spoilers = " \t\n:-#[]{},&*!|>'\"%@`$~?0aZ\xff";
  const auto sound = content_of(shipped);
  std::mt19937_64 dice{29};
  for (int i = 0; i < 1000; ++i) {
    auto text = sound;
    for (auto left = 1 + dice() % 3; left > 0; --left) {
      const auto at = dice() % text.size();
      const auto c = spoilers[dice() % spoilers.size()];
      if (dice() % 2 == 0)
        text[at] = c;
      else
        text.insert(at, 1 + dice() % 3, c);
    }
    const auto result = load_text(text, shipped);
    CAPTURE(text);
    REQUIRE(result.fleet.has_value() == result.problems.empty());
    for (const auto& each : result.problems)
      REQUIRE_FALSE(to_string(each, text).empty());
  }
}

TEST_CASE("variables come from the given environment only", "[config][load]") {
  const auto env = [](const std::string& name) {
    return name == "DATA" ? std::optional<std::string>{"/d"} : std::nullopt;
  };
  const auto result =
    load_text("version: 1\nstate: ${DATA}/s\nhosts: [{name: a}]\n", "f", env);
  REQUIRE(result.fleet);
  CHECK(result.fleet->state == "/d/s");
}

TEST_CASE("the schema is JSON and has every section", "[config][load]") {
  const auto schema = schema::parse_json(schema_text());
  REQUIRE(schema);
  CHECK((*schema)["title"] == "fleet");
  CHECK((*schema)["required"] == schema::json::array({"version", "hosts"}));
  for (const auto name : schema::field_names(schema::shape_of<fleet_file>()))
    CHECK((*schema)["properties"].contains(name));
}
