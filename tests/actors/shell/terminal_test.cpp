// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/terminal.hpp"

#include <clocale>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

config::environment environment_of(std::string name, std::string value) {
  return [name, value](const std::string& asked) -> std::optional<std::string> {
    if (asked == name)
      return value;
    return std::nullopt;
  };
}

} // namespace

TEST_CASE("text from elsewhere cannot steer the terminal",
          "[actors][shell][terminal][safety]") {
  CHECK(printable("a\x1b[2Jb") == "a?[2Jb");
  CHECK(printable("a\nb\tc\x7f") == "a?b?c?");
  CHECK(printable("\xc2\x9b"
                  "2J")
        == "?2J");
  CHECK(printable("\xe2\x80\xae"
                  "abc")
        == "?abc");
}

TEST_CASE("broken UTF-8 is replaced, sound UTF-8 is kept",
          "[actors][shell][terminal]") {
  CHECK(printable("µs ▁█ 日本") == "µs ▁█ 日本");
  CHECK(printable("\xff\xc3") == "??");
  CHECK(printable("\xc0\x80") == "??");
  CHECK(printable("\xed\xa0\x80") == "???");
  CHECK(printable("\xf4\x90\x80\x80") == "????");
}

TEST_CASE("widths are columns, not bytes", "[actors][shell][terminal]") {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  CHECK(display_width("µs") == 2);
  CHECK(display_width("日本") == 4);
  CHECK(display_width("▁▂▃") == 3);
  CHECK(display_width("") == 0);
}

TEST_CASE("a clipped text never ends inside a character",
          "[actors][shell][terminal]") {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  CHECK(clip("日本", 3) == "日");
  CHECK(clip("abc", 2) == "ab");
  CHECK(clip("abc", 9) == "abc");
  CHECK(clip("▁▂", 0).empty());
}

TEST_CASE("what is no terminal gets no colours", "[actors][shell][terminal]") {
  const auto where = detect_terminal(-1, environment_of("TERM", "xterm"));
  CHECK_FALSE(where.is_tty);
  CHECK_FALSE(where.color);
  CHECK(paint("up", tone::good, where) == "up");
  CHECK(paint("up", tone::good, {.color = true}) == "\x1b[32mup\x1b[0m");
}

TEST_CASE("only a named other charset turns UTF-8 off",
          "[actors][shell][terminal]") {
  const auto utf8 = [](const char* name, const char* value) {
    return detect_terminal(-1, environment_of(name, value)).utf8;
  };
  CHECK(utf8("LANG", ""));
  CHECK(utf8("LANG", "C"));
  CHECK(utf8("LANG", "de_DE.UTF-8"));
  CHECK_FALSE(utf8("LANG", "de_DE.ISO-8859-1"));
  CHECK_FALSE(utf8("LC_ALL", "ja_JP.EUC-JP"));
  CHECK_FALSE(utf8("TERM", "dumb"));
}
