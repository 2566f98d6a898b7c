// SPDX-License-Identifier: Apache-2.0
#include "actors/bounded_text.hpp"

#include <catch2/catch.hpp>

#include "actors/utf8.hpp"

using namespace forkfleet;

namespace {

/// Whether it can be shown as it is.
bool is_harmless(std::string_view text) {
  while (!text.empty()) {
    const auto next = decode_utf8(text);
    if (!next.is_valid || is_control(next.code))
      return false;
    text.remove_prefix(next.length);
  }
  return true;
}

} // namespace

TEST_CASE("a foreign text steers no terminal", "[actors][text][safety]") {
  const auto [foreign, shown] = GENERATE(table<std::string, std::string>({
    {"", ""},
    {"plain \xc3\xa4 text", "plain \xc3\xa4 text"},
    {"a\nb\tc\r", "a\\nb\\tc\\x0d"},
    {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
    {"\xc2\x9b"
     "31m",
     "\\x9b31m"},
    {"\xe2\x80\xae", "\\u202e"},
    {std::string{"a\0b", 3}, "a\\x00b"},
    {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
    {"back\\slash", "back\\slash"},
  }));
  CHECK(bounded_text(foreign) == shown);
  CHECK(is_harmless(bounded_text(foreign)));
}

TEST_CASE("a foreign text of any size fits", "[actors][text][safety]") {
  const std::string piece =
    GENERATE("x", "\x1b", "\xff", "\xe2\x82\xac", "\xe2\x80\xae", "a\n");
  const auto size = GENERATE(1u, 63u, 64u, 65u, 500u, 513u, 300'000u);
  const auto room = GENERATE(64u, 100u, 512u);
  auto foreign = std::string{};
  while (foreign.size() < size)
    foreign += piece;
  const auto text = bounded_text(foreign, room);
  CHECK(text.size() <= room);
  CHECK(is_harmless(text));
  CHECK(bounded_text(text, room) == text);
}

TEST_CASE("of a long error its begin and its end are kept", "[actors][text]") {
  const auto text = bounded_text("failed to open '" + std::string(9000, 'x')
                                 + "': No such file or directory");
  CHECK(text.starts_with("failed to open 'xxx"));
  CHECK(text.ends_with("xxx': No such file or directory"));
  CHECK(text.find("(9044 bytes)") != std::string::npos);
}
