// SPDX-License-Identifier: Apache-2.0
#include "config/interpolate.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

std::optional<std::string> variables(const std::string& name) {
  if (name == "A")
    return "alpha";
  if (name == "EMPTY")
    return "";
  if (name == "DOLLAR")
    return "${A}$$";
  if (name == "LINES")
    return "a\nb";
  if (name == "BYTES")
    return "\xff";
  return std::nullopt;
}

std::string replaced(std::string_view text) {
  const auto result = interpolate(text, variables);
  return result ? *result : "refused: " + to_string(result.error());
}

} // namespace

TEST_CASE("variables are replaced by their values", "[config][interpolate]") {
  CHECK(replaced("no dollar") == "no dollar");
  CHECK(replaced("x${A}y${A}") == "xalphayalpha");
  CHECK(replaced("${EMPTY}") == "");
  CHECK(replaced("$$5 and $${A}") == "$5 and ${A}");
}

TEST_CASE("a default stands for what is not set or empty",
          "[config][interpolate]") {
  CHECK(replaced("${NONE:-b}") == "b");
  CHECK(replaced("${EMPTY:-b}") == "b");
  CHECK(replaced("${A:-b}") == "alpha");
  CHECK(replaced("${NONE:-}") == "");
  CHECK(replaced("${NONE:-a:-b}") == "a:-b");
}

TEST_CASE("a message is told for what is not set or empty",
          "[config][interpolate]") {
  CHECK(replaced("${A:?say it}") == "alpha");
  CHECK(replaced("${NONE:?say it}") == "refused: say it (set NONE)");
  CHECK(replaced("${EMPTY:?}")
        == "refused: variable 'EMPTY' is not set (set EMPTY)");
  CHECK(replaced("${NONE}")
        == "refused: variable 'NONE' is not set (or write ${NONE:-default})");
}

TEST_CASE("what a variable holds is not replaced again",
          "[config][interpolate][safety]") {
  CHECK(replaced("${DOLLAR}") == "${A}$$");
}

TEST_CASE("a variable cannot bring in lines or bytes",
          "[config][interpolate][safety]") {
  CHECK(replaced("${LINES}").starts_with("refused: "));
  CHECK(replaced("${BYTES}").starts_with("refused: "));
}

TEST_CASE("a dollar that means nothing is refused", "[config][interpolate]") {
  const auto* text =
    GENERATE("$", "a$b", "$A", "${A", "${", "${}", "${1}", "${a b}", "${A:+x}",
             "${A:}", "${A-b}", "${NONE:-${A}}");
  CAPTURE(text);
  CHECK(replaced(text).starts_with("refused: "));
}

TEST_CASE("a replacement holds no brace, whatever is set",
          "[config][interpolate][safety]") {
  // What ends the inner one would end the outer one, and the rest be text.
  CHECK(replaced("${A:-${A}}").starts_with("refused: a replacement inside"));
  CHECK(replaced("${NONE:-${A}}").starts_with("refused: a replacement inside"));
  CHECK(replaced("${A:?${A}}").starts_with("refused: a replacement inside"));
  CHECK(replaced("${A:-{x}}").starts_with("refused: a brace inside"));
  CHECK(replaced("${A:-$${x}}").starts_with("refused: "));
  CHECK(replaced("{${A}}") == "{alpha}");
  CHECK(replaced("${A}}") == "alpha}");
}

TEST_CASE("the result has a limit", "[config][interpolate]") {
  const std::string text(replaced_length_max + 1, 'x');
  CHECK(replaced(text) == "refused: more than 65536 characters");
}
