// SPDX-License-Identifier: Apache-2.0
#include "node/agent/shell_text.hpp"

#include <cstdio>

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("a word of the shell is the text that it was made of",
          "[node][shell_text][safety]") {
  const std::string text =
    GENERATE("", "plain", "it's", "''", "'; reboot; '", "$HOME `id` \\ \" *",
             "two\nlines\n", "\xc3\xa4", "\xff");
  auto* shell = ::popen(("printf '%s' " + shell_word(text)).c_str(), "r");
  REQUIRE(shell);
  auto read = std::string{};
  for (int c = 0; (c = std::fgetc(shell)) != EOF;)
    read += static_cast<char>(c);
  ::pclose(shell);
  CHECK(read == text);
}

TEST_CASE("an assignment has a name that can be exported",
          "[node][shell_text]") {
  CHECK(is_assignment("A=b"));
  CHECK(is_assignment("_a7=x=y\n"));
  CHECK(is_assignment("A="));
  for (const auto* text : {"", "A", "=x", "7A=x", "A B=x", "A-B=x", "$(x)=y"})
    CHECK_FALSE(is_assignment(text));
  CHECK(has_zero(std::string{"a\0b", 3}));
  CHECK_FALSE(has_zero("ab"));
}
