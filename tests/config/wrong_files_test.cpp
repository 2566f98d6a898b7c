// SPDX-License-Identifier: Apache-2.0
// Each tests/config/wrong/NN-name.yaml has its complete list of problems
// beside it, in NN-name.expected, just as a person sees it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "config/load.hpp"

using namespace forkfleet::config;

namespace {

const std::filesystem::path folder = "tests/config/wrong";

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream result;
  result << std::ifstream{path, std::ios::binary}.rdbuf();
  return result.str();
}

std::vector<std::filesystem::path> wrong_files() {
  std::vector<std::filesystem::path> result;
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().extension() == ".yaml")
      result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

std::optional<std::string> some_variables(const std::string& name) {
  if (name == "VERSION")
    return "1";
  if (name == "HOST")
    return "a";
  if (name == "EMPTY")
    return "";
  if (name == "BELL")
    return "\a";
  if (name == "MANY")
    return "many";
  return std::nullopt;
}

std::string problems_of(const std::filesystem::path& file) {
  const auto text = content_of(file);
  const auto result = load_text(text, file.filename().string(), some_variables);
  std::string told;
  for (const auto& each : result.problems)
    told += to_string(each, text) + "\n";
  return result.fleet ? "no problem\n" : told;
}

} // namespace

TEST_CASE("every wrong file is told all its problems with their places",
          "[config][load]") {
  const auto files = wrong_files();
  REQUIRE(files.size() >= 30);
  // Writes the list of a file that has none; read it before you keep it.
  const bool writes = std::getenv("FORKFLEET_WRITE_EXPECTED") != nullptr;
  for (const auto& file : files) {
    CAPTURE(file);
    auto expected = file;
    expected.replace_extension(".expected");
    if (writes && !std::filesystem::exists(expected))
      std::ofstream{expected} << problems_of(file);
    CHECK(problems_of(file) == content_of(expected));
  }
}
