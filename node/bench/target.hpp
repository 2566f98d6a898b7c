// SPDX-License-Identifier: Apache-2.0
// What a benchmark is to show, and whether it did. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/schema/fields.hpp"
#include "node/bench/text_table.hpp"

namespace forkfleet::bench {

/// How a target came out. What was not measured is neither.
enum class verdict : uint8_t { not_measured, met, missed };

constexpr auto enum_table(verdict) {
  using enum verdict;
  return std::to_array<schema::enum_entry<verdict>>({
    {not_measured, "not measured"},
    {met, "met"},
    {missed, "MISSED"},
  });
}

/// One target.
struct target {
  std::string name = {};
  std::string wanted = {};
  std::string measured = {};
  verdict outcome = verdict::not_measured;

  friend bool operator==(const target&, const target&) = default;
  static constexpr schema::about about{"target",
                                       "What a benchmark is to show."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("name", &target::name, "What is looked at."),
      field("wanted", &target::wanted, "The bound."),
      field("measured", &target::measured, "What came out."),
      field("outcome", &target::outcome, "Whether the bound holds."),
    };
  }
};

/// A figure that may be at most `most`, or at least `least`. The text names
/// the unit of both.
target at_most(std::string name, double figure, double most,
               const std::string& unit);
target at_least(std::string name, double figure, double least,
                const std::string& unit);
target not_measured(std::string name, std::string wanted);

text_table table_of(const std::vector<target>& targets);

/// How many were missed.
std::size_t missed(const std::vector<target>& targets);

} // namespace forkfleet::bench
