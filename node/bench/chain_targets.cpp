// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "node/bench/chain_report.hpp"

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

void add_gain(const chain_results& results, std::vector<target>& out) {
  constexpr auto part = chain_part::rounds;
  const auto ours = of(results, part, chain_arm::ours_diff);
  const auto seed = of(results, part, chain_arm::seed_as_coded);
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

/// A large diff must be durable about as fast as the device can write it.
void add_bandwidth(const chain_results& results, std::vector<target>& out) {
  const auto ours =
    of(results, chain_part::rounds, chain_arm::ours_diff, most_diff_mib);
  if (ours.empty() || results.bytes_per_second == 0) {
    out.push_back(not_measured("300 MiB, ours-diff, durable", "at most 1.3x"));
    return;
  }
  const auto least = static_cast<double>(most_diff_mib << 20)
                     / static_cast<double>(results.bytes_per_second) * 1e3;
  out.push_back(
    at_most("300 MiB, ours-diff, durable p50 / the device's time for 300 MiB",
            milliseconds_of(quantile(durables(ours), 50)) / least,
            bandwidth_ratio_max, "x"));
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
