// SPDX-License-Identifier: Apache-2.0
#include "node/bench/chain_results.hpp"

#include <algorithm>
#include <tuple>

namespace forkfleet::bench {

namespace {

bool is_discarded(const chain_results& from, const chain_sample& x) {
  return std::any_of(
    from.ends.begin(), from.ends.end(), [&x](const chain_end& end) {
      return end.discarded && end.part == x.part && end.arm == x.arm
             && end.diff_mib == x.diff_mib && end.round == x.round;
    });
}

time_series column(const chain_samples& samples,
                   microseconds chain_sample::*member) {
  time_series result;
  for (const auto& x : samples)
    result.push_back(x.*member);
  return result;
}

} // namespace

chain_samples select(const chain_results& from, const chain_choice& choice) {
  chain_samples result;
  for (const auto& x : from.samples)
    if (x.part == choice.part && x.arm == choice.arm
        && x.diff_mib == choice.diff_mib
        && (!choice.round || *choice.round == x.round)
        && !is_discarded(from, x))
      result.push_back(x);
  return result;
}

time_series pauses(const chain_samples& samples) {
  return column(samples, &chain_sample::pause);
}

time_series totals(const chain_samples& samples) {
  return column(samples, &chain_sample::total);
}

time_series durables(const chain_samples& samples) {
  auto result = column(samples, &chain_sample::durable);
  std::erase(result, microseconds{0});
  return result;
}

std::optional<double> ratio_to_control(const chain_results& from,
                                       chain_choice choice) {
  std::vector<double> ratios;
  uint64_t rounds = 0;
  for (const auto& x : from.samples)
    rounds = std::max(rounds, x.round + 1);
  for (uint64_t round = 0; round < rounds; ++round) {
    choice.round = round;
    auto control = choice;
    control.arm = chain_arm::tmpfs_control;
    const auto ours = pauses(select(from, choice));
    const auto theirs = pauses(select(from, control));
    if (!ours.empty() && !theirs.empty())
      ratios.push_back(ratio(quantile(ours, 50), quantile(theirs, 50)));
  }
  if (ratios.empty())
    return std::nullopt;
  std::sort(ratios.begin(), ratios.end());
  return ratios[(ratios.size() - 1) / 2];
}

std::vector<chain_choice> chains_of(const chain_results& from) {
  std::vector<chain_choice> result;
  for (const auto& x : from.samples) {
    const auto known =
      std::any_of(result.begin(), result.end(), [&x](const chain_choice& y) {
        return y.part == x.part && y.arm == x.arm && y.diff_mib == x.diff_mib;
      });
    if (!known)
      result.push_back({x.part, x.arm, x.diff_mib, {}});
  }
  std::sort(result.begin(), result.end(),
            [](const chain_choice& a, const chain_choice& b) {
              return std::tie(a.part, a.diff_mib, a.arm)
                     < std::tie(b.part, b.diff_mib, b.arm);
            });
  return result;
}

} // namespace forkfleet::bench
