// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/units.hpp"

#include <array>
#include <charconv>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/schema/nearest.hpp"

namespace forkfleet::schema {

namespace {

struct unit {
  std::string_view name;
  uint64_t factor;
};

// From small to large, so that formatting can go backwards.
constexpr auto byte_units = std::to_array<unit>({
  {"B", 1},
  {"KiB", 1ull << 10},
  {"MiB", 1ull << 20},
  {"GiB", 1ull << 30},
  {"TiB", 1ull << 40},
});

constexpr auto time_units = std::to_array<unit>({
  {"ns", 1},
  {"us", 1'000},
  {"ms", 1'000'000},
  {"s", 1'000'000'000},
  {"min", 60'000'000'000},
  {"h", 3'600'000'000'000},
  {"d", 86'400'000'000'000},
});

/// What is parsed: for its messages and its limits.
struct quantity {
  std::string_view noun;
  std::span<const unit> units;
  std::string_view usual; // the unit for hints
  uint64_t max;
};

constexpr quantity bytes_quantity{"size", byte_units, "MiB", UINT64_MAX};
constexpr quantity time_quantity{"duration", time_units, "ms", INT64_MAX};

std::vector<std::string_view> names_of(const quantity& what) {
  std::vector<std::string_view> result;
  for (const auto& each : what.units)
    result.push_back(each.name);
  return result;
}

fault unknown_unit(const quantity& what, std::string_view text,
                   std::string_view given) {
  const auto blanks = given.find_first_not_of(' ');
  for (const auto name : names_of(what))
    if (blanks != 0 && blanks != given.npos && given.substr(blanks) == name)
      return {fmt::format("{} has a space before its unit", in_quotes(text)),
              "write them together"};
  // Upper and lower case are one to `nearest`, so 512mib finds MiB; one edit
  // is nearly always too far for units of two letters.
  for (const auto name : names_of(what))
    if (edit_distance(given, name) == 0)
      return {fmt::format("unknown unit in {}", in_quotes(text)),
              fmt::format("did you mean '{}'?", name)};
  const bool decimal =
    given.size() == 2 && (given[1] == 'B' || given[1] == 'b')
    && std::string_view{"kKmMgGtT"}.find(given[0]) != std::string_view::npos;
  if (decimal && what.usual == "MiB")
    return {
      fmt::format("unknown unit in {}", in_quotes(text)),
      fmt::format("write {}iB, a power of 1024",
                  given[0] == 'k' ? 'K' : static_cast<char>(given[0] & ~0x20))};
  return {fmt::format("unknown unit in {}", in_quotes(text)),
          fmt::format("known: {}", fmt::join(names_of(what), ", "))};
}

/// What is wrong with `text`, which begins with a number if `is_number`;
/// `given` stands where its unit belongs, and is none.
fault refusal(const quantity& what, std::string_view text, bool is_number,
              std::string_view given) {
  if (!is_number)
    return {
      fmt::format("{} is not a {}", in_quotes(text), what.noun),
      fmt::format("a whole number and a unit, such as 100{}", what.usual)};
  if (given.empty())
    return {fmt::format("{} has no unit", in_quotes(text)),
            fmt::format("add one: {}", fmt::join(names_of(what), ", "))};
  if (given.front() == '.' || given.front() == ',')
    return {fmt::format("{} is not a whole number", in_quotes(text)),
            "use a smaller unit"};
  return unknown_unit(what, text, given);
}

tl::expected<uint64_t, fault> parse(const quantity& what,
                                    std::string_view text) {
  uint64_t count = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const std::string_view given{rest, static_cast<std::size_t>(end - rest)};
  const bool is_number = error != std::errc::invalid_argument;
  for (const auto& each : what.units) {
    if (!is_number || each.name != given)
      continue;
    if (error != std::errc{} || count > what.max / each.factor)
      return tl::unexpected{
        fault{fmt::format("{} is too large", in_quotes(text))}};
    return count * each.factor;
  }
  return tl::unexpected{refusal(what, text, is_number, given)};
}

std::string format(const quantity& what, uint64_t count,
                   std::string_view zero_unit) {
  if (count == 0)
    return fmt::format("0{}", zero_unit);
  auto best = what.units.front();
  for (const auto& each : what.units)
    if (count % each.factor == 0)
      best = each;
  return fmt::format("{}{}", count / best.factor, best.name);
}

} // namespace

tl::expected<uint64_t, fault> parse_bytes(std::string_view text) {
  return parse(bytes_quantity, text);
}

std::string format_bytes(uint64_t bytes) {
  return format(bytes_quantity, bytes, "B");
}

tl::expected<std::chrono::nanoseconds, fault>
parse_duration(std::string_view text) {
  return parse(time_quantity, text).map([](uint64_t count) {
    return std::chrono::nanoseconds{static_cast<int64_t>(count)};
  });
}

std::string format_duration(std::chrono::nanoseconds time) {
  const bool negative = time.count() < 0;
  const auto bits = static_cast<uint64_t>(time.count());
  return (negative ? "-" : "")
         + format(time_quantity, negative ? 0 - bits : bits, "s");
}

} // namespace forkfleet::schema
