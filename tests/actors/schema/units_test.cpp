// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/units.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet::schema;
using namespace std::chrono_literals;

namespace {

std::string refusal_of_bytes(std::string_view text) {
  const auto parsed = parse_bytes(text);
  return parsed ? "" : to_string(parsed.error());
}

std::string refusal_of_duration(std::string_view text) {
  const auto parsed = parse_duration(text);
  return parsed ? "" : to_string(parsed.error());
}

} // namespace

TEST_CASE("sizes are powers of 1024", "[actors][units]") {
  CHECK(parse_bytes("0B") == 0u);
  CHECK(parse_bytes("4096B") == 4096u);
  CHECK(parse_bytes("512MiB") == 512ull << 20);
  CHECK(parse_bytes("1TiB") == 1ull << 40);
  CHECK(parse_bytes("18446744073709551615B") == UINT64_MAX);
}

TEST_CASE("durations are whole numbers of a unit", "[actors][units]") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("2s") == 2s);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("90min") == 90min);
  CHECK(parse_duration("5us") == 5us);
}

TEST_CASE("a size that is refused says what to write", "[actors][units]") {
  CHECK(refusal_of_bytes("512")
        == "'512' has no unit (add one: B, KiB, MiB, GiB, TiB)");
  CHECK(refusal_of_bytes("1GB")
        == "unknown unit in '1GB' (write GiB, a power of 1024)");
  CHECK(refusal_of_bytes("1mib")
        == "unknown unit in '1mib' (did you mean 'MiB'?)");
  CHECK(refusal_of_bytes("1.5GiB")
        == "'1.5GiB' is not a whole number (use a smaller unit)");
  CHECK(refusal_of_bytes("-1B")
        == "'-1B' is not a size (a whole number and a unit, such as 100MiB)");
  CHECK(refusal_of_bytes("16777216TiB") == "'16777216TiB' is too large");
  CHECK(refusal_of_bytes("99999999999999999999B")
        == "'99999999999999999999B' is too large");
}

TEST_CASE("a duration that is refused says what to write", "[actors][units]") {
  CHECK(refusal_of_duration("5")
        == "'5' has no unit (add one: ns, us, ms, s, min, h, d)");
  CHECK(refusal_of_duration("5 s")
        == "'5 s' has a space before its unit (write them together)");
  CHECK(refusal_of_duration("5m")
        == "unknown unit in '5m' (known: ns, us, ms, s, min, h, d)");
  CHECK(refusal_of_duration("")
        == "'' is not a duration (a whole number and a unit, such as 100ms)");
  CHECK(refusal_of_duration("9999999h") == "'9999999h' is too large");
}

TEST_CASE("the largest unit that divides is written", "[actors][units]") {
  CHECK(format_bytes(0) == "0B");
  CHECK(format_bytes(1536ull << 20) == "1536MiB");
  CHECK(format_bytes(1025) == "1025B");
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(90s) == "90s");
  CHECK(format_duration(3600s) == "1h");
  CHECK(format_duration(-1500us) == "-1500us");
}

TEST_CASE("any size and duration survives text", "[actors][units][property]") {
  std::mt19937_64 dice{7};
  for (int i = 0; i < 2000; ++i) {
    const uint64_t bytes = dice() >> (dice() % 64) << (dice() % 40);
    CAPTURE(bytes);
    REQUIRE(parse_bytes(format_bytes(bytes)) == bytes);
    const std::chrono::nanoseconds time{
      static_cast<int64_t>(bytes & INT64_MAX)};
    REQUIRE(parse_duration(format_duration(time)) == time);
  }
}
