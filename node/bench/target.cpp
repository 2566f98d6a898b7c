// SPDX-License-Identifier: Apache-2.0
#include "node/bench/target.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace forkfleet::bench {

namespace {

std::string figure_text(double figure, const std::string& unit) {
  return fmt::format("{:.4g}{}{}", figure, unit.size() > 1 ? " " : "", unit);
}

} // namespace

target at_most(std::string name, double figure, double most,
               const std::string& unit) {
  return {.name = std::move(name),
          .wanted = "at most " + figure_text(most, unit),
          .measured = figure_text(figure, unit),
          .outcome = figure <= most ? verdict::met : verdict::missed};
}

target at_least(std::string name, double figure, double least,
                const std::string& unit) {
  return {.name = std::move(name),
          .wanted = "at least " + figure_text(least, unit),
          .measured = figure_text(figure, unit),
          .outcome = figure >= least ? verdict::met : verdict::missed};
}

target not_measured(std::string name, std::string wanted) {
  return {.name = std::move(name), .wanted = std::move(wanted)};
}

text_table table_of(const std::vector<target>& targets) {
  text_table result{.head = {"target", "wanted", "measured", "outcome"}};
  for (const auto& x : targets)
    result.rows.push_back(
      {x.name, x.wanted, x.measured, std::string{schema::name_of(x.outcome)}});
  return result;
}

std::size_t missed(const std::vector<target>& targets) {
  return static_cast<std::size_t>(
    std::count_if(targets.begin(), targets.end(), [](const target& x) {
      return x.outcome == verdict::missed;
    }));
}

} // namespace forkfleet::bench
