// SPDX-License-Identifier: Apache-2.0
#include "node/console_piece.hpp"

#include <fstream>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;

TEST_CASE("the last lines begin where they begin", "[node][console]") {
  const auto [text, lines, tail] =
    GENERATE(table<std::string, uint64_t, std::string>({
      {"", 3, ""},
      {"a\nb\nc\n", 1, "c\n"},
      {"a\nb\nc\n", 2, "b\nc\n"},
      {"a\nb\nc", 1, "c"},
      {"a\nb\nc\n", 3, "a\nb\nc\n"},
      {"a\nb\nc\n", 9, "a\nb\nc\n"},
      {"\n\n\n", 2, "\n\n"},
      {"\na", 2, "\na"},
      {"a\n", 1, "a\n"},
    }));
  CHECK(text.substr(tail_begin(text, lines)) == tail);
}

TEST_CASE("a console is read piece by piece", "[node][console]") {
  const test::scratch_directory place;
  const auto path = place.path() + "/console";
  auto all = std::string{};
  while (all.size() < 3 * guest_bytes_max)
    all += "line " + std::to_string(all.size()) + "\n";
  std::ofstream{path} << all;
  auto read = std::string{};
  auto next = console_request{};
  for (int pieces = 1;; ++pieces) {
    const auto got = read_console(path, next);
    REQUIRE(got);
    CHECK(got->offset == next.offset);
    read += from_base64(got->content).value();
    next.offset = got->next;
    if (got->has_ended) {
      CHECK(pieces == 4);
      break;
    }
  }
  CHECK((read == all));
  const auto tail = read_console(path, {.tail = 2});
  REQUIRE(tail);
  CHECK(all.ends_with(from_base64(tail->content).value()));
  CHECK(tail->next == all.size());
  CHECK(tail->has_ended);
  const auto beyond = read_console(path, {.offset = all.size() + 10});
  REQUIRE(beyond);
  CHECK(beyond->content.empty());
  CHECK(beyond->next == all.size());
  const auto none = read_console(path + "-not", {});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ec::io_failed);
}
