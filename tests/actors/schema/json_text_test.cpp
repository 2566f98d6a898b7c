// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json_text.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "actors/schema/json_limits.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;
using namespace forkfleet::schema;

namespace {

std::string refusal(std::string_view text) {
  const auto parsed = parse_json(text);
  REQUIRE_FALSE(parsed);
  REQUIRE(parsed.error().code == ec::invalid_request);
  return parsed.error().message;
}

json random_json(std::mt19937_64& dice, int depth) {
  const auto choice = dice() % (depth > 0 ? 7 : 5);
  if (choice == 0)
    return nullptr;
  if (choice == 1)
    return dice() % 2 == 0;
  if (choice == 2)
    return dice();
  if (choice == 3)
    return -static_cast<int64_t>(dice() >> 1);
  if (choice == 4)
    return test::random_text(dice, 10);
  auto result = choice == 5 ? json::array() : json::object();
  for (auto left = dice() % 4; left > 0; --left)
    if (choice == 5)
      result.push_back(random_json(dice, depth - 1));
    else
      result[test::random_text(dice, 10)] = random_json(dice, depth - 1);
  return result;
}

} // namespace

TEST_CASE("objects keep the order of their keys", "[actors][json_text]") {
  const auto parsed = parse_json(R"({"z": 1, "a": [true, null, "x"]})");
  REQUIRE(parsed);
  CHECK(dump(*parsed) == R"({"z":1,"a":[true,null,"x"]})");
}

TEST_CASE("duplicate keys are refused where the second one stands",
          "[actors][json_text][safety]") {
  CHECK(refusal(R"({"a": 1, "b": {"a": 2}, "a": 3})")
        == "1:25: duplicate key 'a'");
  CHECK(refusal("{\"x\\\"\": 1,\n  \"x\\\"\": 2}")
        == "2:3: duplicate key 'x\"'");
  CHECK(parse_json(R"([{"a": 1}, {"a": 2}])"));
}

TEST_CASE("64 levels are allowed and 65 are not",
          "[actors][json_text][safety]") {
  CHECK(parse_json(std::string(64, '[') + std::string(64, ']')));
  CHECK(refusal(std::string(65, '[') + std::string(65, ']'))
        == "1:65: more than 64 levels deep");
  CHECK(refusal(std::string(300'000, '[')) == "1:65: more than 64 levels deep");
}

TEST_CASE("broken text is refused with its line and column",
          "[actors][json_text]") {
  CHECK(refusal("{\"a\": 1,\n \"b\" 2}").starts_with("2:6: syntax error"));
  CHECK(refusal("").starts_with("1:1: "));
  CHECK(refusal("{} x").starts_with("1:4: "));
  CHECK(refusal("\"\xff\"").starts_with("1:2: "));
  CHECK(refusal("[1e999]").find("number overflow") != std::string::npos);
  CHECK(refusal("\"\u00e9\u00e9\" x").starts_with("1:6: "));
}

TEST_CASE("bytes that are not UTF-8 are replaced and never thrown at",
          "[actors][json_text][safety]") {
  CHECK(dump(json("a\xff\xfe")) == "\"a\uFFFD\uFFFD\"");
}

TEST_CASE("any value survives text", "[actors][json_text][property]") {
  std::mt19937_64 dice{11};
  for (int i = 0; i < 500; ++i) {
    const auto value = random_json(dice, 5);
    const auto again = parse_json(dump(value, i % 2 == 0 ? -1 : 2));
    REQUIRE(again);
    REQUIRE(*again == value);
  }
}

TEST_CASE("random bytes are either parsed or refused",
          "[actors][json_text][property]") {
  constexpr std::string_view alphabet =
    "{}[]\",:\\ue0129.-+ \ntrufalsn\xc3\xa9";
  std::mt19937_64 dice{13};
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (auto left = dice() % 40; left > 0; --left)
      text += alphabet[dice() % alphabet.size()];
    const auto parsed = parse_json(text);
    REQUIRE((parsed || !parsed.error().message.empty()));
  }
}

TEST_CASE("what a text may hold can be bounded",
          "[actors][json_text][safety]") {
  constexpr auto limits = json_limits{.values_max = 4, .text_bytes_max = 3};
  CHECK(parse_json(R"({"a":[1,"abc"]})", limits));
  for (const std::string_view text :
       {R"([1,2,3,4])", R"([[],[],[],[]])", R"({"a":1,"b":2,"c":3,"d":4})",
        R"("abcd")", R"({"abcd":1})"}) {
    const auto parsed = parse_json(text, limits);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ec::invalid_request);
    CHECK(parsed.error().message.find("more than") != std::string::npos);
  }
}
