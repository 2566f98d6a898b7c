// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_scalar.hpp"

#include <catch2/catch.hpp>

#include "config/fleet_file.hpp"

using namespace forkfleet;
using namespace forkfleet::config;
using schema::scalar;
using schema::shape_of;

namespace {

template <class T>
scalar value_of(const yaml_scalar& given) {
  const auto result = read_scalar(shape_of<T>(), given);
  REQUIRE(result);
  return *result;
}

template <class T>
std::string refusal(const yaml_scalar& given) {
  const auto result = read_scalar(shape_of<T>(), given);
  return result ? "" : to_string(result.error());
}

} // namespace

TEST_CASE("plain scalars that some reader takes for something else are known",
          "[config][yaml_scalar]") {
  CHECK(plain_reading("") == "null");
  CHECK(plain_reading("NULL") == "null");
  CHECK(plain_reading("Off") == "a boolean");
  const auto* number =
    GENERATE("0", "-1", "+1", "010", "1_000", "0x1F", "0o17", "1.5", "1e3",
             ".5", "5.", "12:30", "1:2:3.4", ".inf", "-.INF", ".nan");
  CAPTURE(number);
  CHECK(plain_reading(number) == "a number");
}

TEST_CASE("text that no reader takes for something else is text",
          "[config][yaml_scalar]") {
  const auto* text =
    GENERATE("a", "1a", "10.0.0.1", "127.0.0.1:80", "1-2", "-smp", "-", ".",
             "on-call", "0x", "v1.2", "2024-01-02", "a:1", "1+1");
  CAPTURE(text);
  CHECK(plain_reading(text).empty());
}

TEST_CASE("only true and false are booleans", "[config][yaml_scalar]") {
  CHECK(value_of<bool>({"true"}) == scalar{true});
  CHECK(value_of<bool>({"false"}) == scalar{false});
  CHECK(refusal<bool>({"no"})
        == "must be true or false, not 'no' (write false)");
  CHECK(refusal<bool>({"True"})
        == "must be true or false, not 'True' (write true)");
  CHECK(refusal<bool>({.text = "true", .quoted = true})
        == "must be true or false, not text (remove the quotes)");
}

TEST_CASE("whole numbers have one form", "[config][yaml_scalar]") {
  CHECK(value_of<uint64_t>({"0"}) == scalar{uint64_t{0}});
  CHECK(value_of<uint64_t>({"18446744073709551615"}) == scalar{UINT64_MAX});
  CHECK(value_of<int16_t>({"-32768"}) == scalar{int64_t{-32768}});
  CHECK(refusal<uint8_t>({"256"}) == "must be 0 to 255, not 256");
  CHECK(refusal<int8_t>({"-129"}) == "must be -128 to 127, not -129");
  const auto* odd = GENERATE("", "00", "08", "+1", "1 ", "1e3", "0x1", "1_0",
                             "1:0", "one", "1.0");
  CAPTURE(odd);
  CHECK_FALSE(refusal<uint64_t>({odd}).empty());
}

TEST_CASE("durations are counted in their own unit", "[config][yaml_scalar]") {
  CHECK(value_of<milliseconds>({"2s"}) == scalar{int64_t{2000}});
  CHECK(value_of<microseconds>({"2s"}) == scalar{int64_t{2000000}});
  CHECK(refusal<milliseconds>({"1us"})
        == "'1us' is too fine (a multiple of 1ms)");
  CHECK_FALSE(refusal<milliseconds>({"-1s"}).empty());
}

TEST_CASE("text that came from the environment needs no quotes",
          "[config][yaml_scalar]") {
  CHECK(value_of<std::string>({.text = "010", .replaced = true})
        == scalar{std::string{"010"}});
  CHECK(value_of<std::string>({.text = "010", .quoted = true})
        == scalar{std::string{"010"}});
  CHECK(refusal<std::string>({"010"})
        == "must be text, but '010' is a number in YAML (quote it: \"010\")");
}

TEST_CASE("text is one line of plain text", "[config][yaml_scalar][safety]") {
  CHECK(refusal<std::string>({.text = "a\nb", .quoted = true})
        == "must be one line (use >- for a long text)");
  CHECK(refusal<std::string>({.text = "a\x1b", .quoted = true})
        == "has control characters");
}

TEST_CASE("the names of an enum are text, even off", "[config][yaml_scalar]") {
  CHECK(value_of<reserve_policy>({"off"}) == scalar{uint64_t{0}});
  CHECK(refusal<reserve_policy>({"Off"})
        == "unknown value 'Off' (did you mean 'off'?)");
}
