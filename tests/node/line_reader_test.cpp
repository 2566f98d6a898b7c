// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/line_reader.hpp"

#include <random>
#include <vector>

#include <catch2/catch.hpp>

using namespace forkfleet::qemu;

namespace {

std::vector<std::string> lines_of(line_reader& reader) {
  auto found = std::vector<std::string>{};
  while (const auto line = reader.next())
    found.emplace_back(*line);
  return found;
}

} // namespace

TEST_CASE("lines are the same however they arrive", "[node][line_reader]") {
  auto dice = std::mt19937{GENERATE(1u, 2u, 3u, 4u)};
  auto wanted = std::vector<std::string>{};
  auto text = std::string{};
  for (int i = 0; i < 200; ++i) {
    wanted.emplace_back(dice() % 40, static_cast<char>('a' + i % 26));
    text += wanted.back() + "\n";
  }
  auto reader = line_reader{40};
  auto found = std::vector<std::string>{};
  for (std::size_t at = 0; at < text.size();) {
    const auto piece = text.substr(at, 1 + dice() % 60);
    at += piece.size();
    reader.append(piece);
    for (auto& line : lines_of(reader))
      found.push_back(std::move(line));
  }
  CHECK(found == wanted);
  CHECK_FALSE(reader.is_too_long());
}

TEST_CASE("a line that is too long is none, and ends the reading",
          "[node][line_reader][safety]") {
  auto reader = line_reader{8};
  const bool has_end = GENERATE(true, false);
  reader.append("12345678\n123456789");
  if (has_end)
    reader.append("\nshort\n");
  CHECK(lines_of(reader) == std::vector<std::string>{"12345678"});
  CHECK(reader.is_too_long());
  reader.append("more\n");
  CHECK_FALSE(reader.next());
  reader.clear();
  reader.append("anew\n");
  CHECK(lines_of(reader) == std::vector<std::string>{"anew"});
}
