// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "actors/schema/units.hpp"
#include "node/bench/chain_run.hpp"

namespace forkfleet::bench {

namespace {

constexpr uint64_t large_diff_mib = 16;

expected<std::vector<uint64_t>> diffs_of(const config::invocation& given) {
  std::vector<uint64_t> result;
  for (const auto& text : given.texts("diff")) {
    const auto bytes = schema::parse_bytes(text);
    if (!bytes || *bytes < mib || *bytes % mib != 0)
      return fail(ec::invalid_request,
                  "--diff " + text + ": give whole MiB, such as 30MiB");
    result.push_back(*bytes / mib);
  }
  if (result.empty())
    result = {1, 30, 300};
  return result;
}

std::vector<chain_arm> arms_of(const config::invocation& given) {
  std::vector<chain_arm> result;
  const auto chosen = given.texts("arm");
  for (const auto& entry : enum_table(chain_arm{}))
    if (chosen.empty()
        || std::find(chosen.begin(), chosen.end(), entry.name) != chosen.end())
      result.push_back(entry.value);
  return result;
}

} // namespace

bool has_reflink(const std::string& file_system) {
  return file_system == "xfs" || file_system == "btrfs";
}

expected<chain_plan> chain_plan_of(const config::invocation& given) {
  const auto diffs = diffs_of(given);
  if (!diffs)
    return tl::unexpected(diffs.error());
  const chain_plan defaults;
  chain_plan plan{
    .file_system = given.text("fs"),
    .image_bytes =
      given.bytes("image").value_or(config::byte_size{512 * mib}).value / mib
      * mib,
    .diffs = *diffs,
    .arms = arms_of(given),
    .branches = given.number("branches").value_or(defaults.branches),
    .large_branches =
      given.number("large-branches").value_or(defaults.large_branches),
    .rounds = given.number("rounds").value_or(defaults.rounds),
    .long_branches = given.number("long").value_or(defaults.long_branches),
    .gap = given.duration("gap").value_or(defaults.gap),
    .long_gap = given.duration("long-gap").value_or(defaults.long_gap),
    .bytes_per_second =
      given.number("bandwidth").value_or(150) * uint64_t{1'000'000},
    .tolerance =
      static_cast<double>(given.number("tolerance").value_or(5)) / 100,
    .limit = given.duration("limit").value_or(defaults.limit)};
  for (const auto diff : plan.diffs)
    if (diff * mib > plan.image_bytes)
      return fail(ec::invalid_request,
                  "--diff " + std::to_string(diff)
                    + "MiB is larger than the guest's memory, --image");
  if (plan.bytes_per_second == 0)
    return fail(ec::invalid_request, "--bandwidth must be at least 1");
  return plan;
}

std::vector<chain_step> schedule(const chain_plan& plan) {
  std::vector<chain_arm> arms;
  for (const auto arm : plan.arms)
    if (arm != chain_arm::ours_reflink || has_reflink(plan.file_system))
      arms.push_back(arm);
  std::vector<chain_step> steps;
  for (std::size_t i = 0; i < plan.diffs.size(); ++i) {
    const auto diff = plan.diffs[i];
    const auto rounds =
      i == 0 ? plan.rounds : std::min<uint64_t>(1, plan.rounds);
    const auto branches =
      diff > large_diff_mib ? plan.large_branches : plan.branches;
    for (uint64_t round = 0; round < rounds; ++round)
      for (const auto place : rotated(arms.size(), round))
        steps.push_back(
          {chain_part::rounds, arms[place], diff, round, branches});
  }
  return steps;
}

} // namespace forkfleet::bench
