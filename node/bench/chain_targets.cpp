// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "node/bench/chain_report.hpp"
#include "node/bench/chain_run.hpp"

namespace forkfleet::bench {

namespace {

constexpr uint64_t least_diff_mib = 1;
constexpr uint64_t most_diff_mib = 300;
constexpr double half_ratio_max = 1.5;
constexpr double control_ratio_max = 3;
constexpr double gain_min = 100;
constexpr double bandwidth_ratio_max = 1.3;
constexpr microseconds stall_min{500'000};

double milliseconds_of(microseconds x) {
  return static_cast<double>(x.count()) / 1e3;
}

chain_samples of(const chain_results& results, chain_part part, chain_arm arm,
                 uint64_t diff_mib = least_diff_mib) {
  return select(results, {part, arm, diff_mib, {}});
}

/// Pause against the tmpfs control, and the chain's end against its
/// beginning.
void add_long_chain(const chain_results& results, std::vector<target>& out) {
  constexpr auto part = chain_part::long_chain;
  const auto ours = of(results, part, chain_arm::ours_diff);
  const auto control = of(results, part, chain_arm::tmpfs_control);
  if (ours.empty() || control.empty()) {
    out.push_back(not_measured("long chain, ours-diff", "p50 and p90"));
    return;
  }
  const auto us = summarize(pauses(ours));
  const auto them = summarize(pauses(control));
  const auto name = fmt::format("{} BRANCHes, ours-diff, ", us.count);
  out.push_back(at_most(name + "pause p50 (bound: tmpfs control's p50)",
                        milliseconds_of(us.p50), milliseconds_of(them.p50),
                        "ms"));
  out.push_back(at_most(name + "pause p90 (bound: 3 x tmpfs control's p50)",
                        milliseconds_of(us.p90),
                        control_ratio_max * milliseconds_of(them.p50), "ms"));
  out.push_back(at_most(name + "second half's p50 / first half's",
                        ratio(us.second_half_p50, us.first_half_p50),
                        half_ratio_max, "x"));
}

/// Where files can be cloned the seed's copy is a clone as well, and costs
/// nothing: there its total is no measure.
void add_gain(const chain_results& results, std::vector<target>& out) {
  constexpr auto part = chain_part::rounds;
  const auto ours = of(results, part, chain_arm::ours_diff);
  const auto seed = of(results, part, chain_arm::seed_as_coded);
  if (has_reflink(results.file_system))
    return;
  if (ours.empty() || seed.empty()) {
    out.push_back(not_measured("seed-as-coded / ours-diff", "at least 100x"));
    return;
  }
  out.push_back(
    at_least("1 MiB, seed-as-coded / ours-diff, total p50",
             ratio(quantile(totals(seed), 50), quantile(totals(ours), 50)),
             gain_min, "x"));
  out.push_back(
    at_least("1 MiB, seed-as-coded / ours-diff, durable p50",
             ratio(quantile(durables(seed), 50), quantile(durables(ours), 50)),
             gain_min, "x"));
}

/// The median of what each BRANCH took, in times of what the device needs for
/// the bytes of its snapshot.
std::optional<double> times_of_device(const chain_samples& samples,
                                      uint64_t bytes_per_second) {
  std::vector<double> all;
  for (const auto& x : samples)
    if (x.stored_bytes > 0)
      all.push_back(milliseconds_of(x.durable)
                    * static_cast<double>(bytes_per_second)
                    / static_cast<double>(x.stored_bytes) / 1e3);
  if (all.empty())
    return std::nullopt;
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

/// A large diff must be durable about as fast as the device can write it. Its
/// guest writes on while it is copied, so that it is larger than what was
/// dirtied before.
void add_bandwidth(const chain_results& results, std::vector<target>& out) {
  const std::string name =
    "300 MiB, ours-diff, durable / the device's time for its bytes, p50";
  auto times = times_of_device(
    of(results, chain_part::rounds, chain_arm::ours_diff, most_diff_mib),
    results.bytes_per_second);
  if (results.bytes_per_second == 0)
    times.reset();
  out.push_back(times ? at_most(name, *times, bandwidth_ratio_max, "x")
                      : not_measured(name, "at most 1.3x"));
}

void add_controls(const chain_results& results, std::vector<target>& out) {
  const auto before = of(results, chain_part::rounds, chain_arm::before);
  if (!before.empty())
    out.push_back(
      at_least("control: before, 1 MiB, second half's pause p50 "
               "(the stall is there)",
               milliseconds_of(summarize(pauses(before)).second_half_p50),
               milliseconds_of(stall_min), "ms"));
  double wrong = 0;
  for (const auto& end : results.ends)
    wrong += end.verified ? 0 : 1;
  if (!results.ends.empty())
    out.push_back(at_most("control: chains whose last snapshot is not the "
                          "stopped memory",
                          wrong, 0, ""));
}

} // namespace

std::vector<target> chain_targets(const chain_results& results) {
  std::vector<target> out;
  add_long_chain(results, out);
  add_gain(results, out);
  add_bandwidth(results, out);
  add_controls(results, out);
  return out;
}

} // namespace forkfleet::bench
