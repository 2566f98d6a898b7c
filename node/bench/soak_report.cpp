// SPDX-License-Identifier: Apache-2.0
#include "node/bench/soak_report.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace forkfleet::bench {

namespace {

std::size_t count_in(const pause_samples& samples, check_outcome outcome) {
  return static_cast<std::size_t>(std::ranges::count(
    samples, outcome, [](const pause_sample& x) { return x.check; }));
}

constexpr const char* soak_explanation =
  "Each guest has two processors. It reads a disk past its page cache all the "
  "time and compares the number of every block, has pages that it fills, "
  "zeroes, gives back to its kernel and exchanges, and a ring that it rewrites "
  "and sweeps. A snapshot is right when its child has swept all of the ring, "
  "and none of these checks has found anything. *direct disk*: QEMU, too, "
  "passes the host's page cache by (`cache.direct`); *cached disk*: it does "
  "not. *shared*: the VM was started by hand with a memfd that is shared, and "
  "attached to.\n";

} // namespace

std::size_t count_checks(const soak_results& from, check_outcome outcome) {
  std::size_t sum = 0;
  for (const auto& x : from.cases)
    sum += count_in(x.samples, outcome);
  return sum;
}

text_table soak_table(const soak_results& results) {
  text_table table{.head = {"VM", "way (method)", "right", "wrong", "failed"}};
  for (const auto& each : results.cases) {
    std::map<std::pair<capture_way, std::string>, pause_samples> groups;
    for (const auto& x : each.samples)
      groups[{x.way, x.method}].push_back(x);
    for (const auto& [key, samples] : groups)
      table.rows.push_back(
        {each.name, fmt::format("{} ({})", to_string(key.first), key.second),
         std::to_string(count_in(samples, check_outcome::right)),
         std::to_string(count_in(samples, check_outcome::wrong)),
         std::to_string(count_in(samples, check_outcome::none))});
  }
  return table;
}

std::vector<target> soak_targets(const soak_results& results) {
  const auto caught = std::ranges::count_if(
    results.controls, [](const soak_control& x) { return !x.found.empty(); });
  return {
    at_least("snapshots restored with the guest's checks intact",
             static_cast<double>(count_checks(results, check_outcome::right)),
             static_cast<double>(results.checks_wanted), ""),
    at_most("snapshots with a wrong child",
            static_cast<double>(count_checks(results, check_outcome::wrong)), 0,
            ""),
    at_least(
      "negative controls caught", static_cast<double>(caught),
      static_cast<double>(std::max<std::size_t>(results.controls.size(), 1)),
      "")};
}

std::string soak_report(const soak_results& results) {
  auto text = "# bench soak: guests that make it hard\n\n"
              + markdown(results.about) + "\n## Targets\n\n"
              + markdown(table_of(soak_targets(results))) + "\n## Snapshots\n\n"
              + markdown(soak_table(results)) + "\n" + soak_explanation
              + "\n## Negative controls\n\n";
  for (const auto& x : results.controls)
    text += fmt::format("- {}: {}\n", x.name,
                        x.found.empty() ? "**NOT FOUND OUT**" : x.found);
  std::string wrong;
  for (const auto& each : results.cases)
    for (const auto& x : each.samples)
      if (!x.remark.empty())
        wrong += fmt::format("- {}, {}, capture {}: {}\n", each.name,
                             to_string(x.way), x.number, x.remark);
  if (!wrong.empty())
    text += "\n## What went wrong\n\n" + wrong;
  return text;
}

} // namespace forkfleet::bench
