// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "node/bench/pause_report.hpp"

namespace forkfleet::bench {

namespace {

constexpr uint64_t small_mib = 256;
constexpr uint64_t large_mib = 2048;
constexpr uint64_t idle_mib = 1024;
constexpr double small_factor_max = 2.5;
constexpr double large_factor_max = 5;
constexpr double total_share_max = 0.05;
constexpr double byte_cost_max = 1.5;
constexpr double written_share_max = 0.05;

microseconds p50(const pause_results& from, const pause_choice& choice,
                 microseconds pause_sample::*member) {
  time_series series;
  for (const auto& x : select(from, choice))
    series.push_back(x.*member);
  return quantile(series, 50);
}

/// The worst rate of `pause p50 / floor p50` of a VM of that memory.
void add_factor(const pause_results& results, capture_way way,
                uint64_t memory_mib, double most, std::vector<target>& out) {
  const auto name =
    fmt::format("{}, {} MiB: pause p50 / floor's p50, worst rate",
                to_string(way), memory_mib);
  std::optional<double> worst;
  for (const auto& choice : choices_of(results)) {
    if (choice.way != way || choice.memory_mib != memory_mib)
      continue;
    auto floor = choice;
    floor.way = capture_way::floor;
    const auto ours = p50(results, choice, &pause_sample::pause);
    const auto least = p50(results, floor, &pause_sample::pause);
    if (ours.count() > 0 && least.count() > 0)
      worst = std::max(worst.value_or(0), ratio(ours, least));
  }
  out.push_back(worst ? at_most(name, *worst, most, "x")
                      : not_measured(name, fmt::format("at most {}x", most)));
}

/// A diff beside the full copy of the same VM.
struct diff_shares {
  double total = 0;
  double written = 0;
};

std::optional<diff_shares> shares_of(const pause_results& results,
                                     pause_choice choice) {
  const auto diff = select(results, choice);
  choice.way = capture_way::stopped;
  auto copy = select(results, choice);
  if (copy.empty()) {
    choice.way = capture_way::full;
    copy = select(results, choice);
  }
  if (diff.empty() || copy.empty())
    return std::nullopt;
  const auto middle = [](const pause_samples& samples, auto member) {
    std::vector<double> values;
    for (const auto& x : samples)
      values.push_back(static_cast<double>(member(x)));
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  const auto total = [](const pause_sample& x) { return x.total.count(); };
  const auto written = [](const pause_sample& x) { return x.written_bytes; };
  return diff_shares{middle(diff, total) / middle(copy, total),
                     middle(diff, written) / middle(copy, written)};
}

/// A diff costs little where little changed, and else no more a byte than a
/// full copy does.
void add_total(const pause_results& results, std::vector<target>& out) {
  std::optional<double> idle;
  std::optional<double> any;
  std::optional<double> busy;
  for (const auto& choice : choices_of(results)) {
    if (choice.way != capture_way::diff)
      continue;
    const auto shares = shares_of(results, choice);
    if (!shares)
      continue;
    any = std::max(any.value_or(0), shares->total);
    if (choice.rate_mib == 0)
      idle = std::max(idle.value_or(0), shares->total);
    else if (shares->written > 0)
      busy = std::max(busy.value_or(0), shares->total / shares->written);
  }
  const auto add = [&out](const std::string& name, std::optional<double> found,
                          double most) {
    out.push_back(found ? at_most(name, *found, most, "x")
                        : not_measured(name, fmt::format("at most {}x", most)));
  };
  add("diff of an idle guest: total p50 / a full copy's, worst VM", idle,
      total_share_max);
  add("diff: total p50 / a full copy's, worst VM", any, total_share_max);
  add("diff of a busy guest: share of a full copy's total / share of its "
      "bytes, worst VM",
      busy, byte_cost_max);
}

void add_written(const pause_results& results, std::vector<target>& out) {
  const std::string name = "diff of an idle guest of 1024 MiB: bytes written / "
                           "memory, worst capture after the first";
  double worst = -1;
  const auto samples = select(results, {idle_mib, 0, capture_way::diff});
  for (std::size_t i = 1; i < samples.size(); ++i)
    worst = std::max(worst, static_cast<double>(samples[i].written_bytes)
                              / static_cast<double>(idle_mib << 20));
  out.push_back(worst >= 0 ? at_most(name, worst, written_share_max, "x")
                           : not_measured(name, "at most 0.05x"));
}

void add_checks(const pause_results& results, std::vector<target>& out) {
  double right = 0;
  double wrong = 0;
  for (const auto& x : results.samples) {
    right += x.check == check_outcome::right ? 1 : 0;
    wrong += x.check == check_outcome::wrong ? 1 : 0;
  }
  out.push_back(at_least("snapshots restored with the guest's checks intact",
                         right, static_cast<double>(results.checks_wanted),
                         ""));
  out.push_back(at_most("snapshots with a wrong child", wrong, 0, ""));
  if (results.torn_made == 0)
    out.push_back(not_measured("negative control", "every torn one is caught"));
  else
    out.push_back(at_least("negative control: torn snapshots caught",
                           static_cast<double>(results.torn_caught),
                           static_cast<double>(results.torn_made), ""));
}

} // namespace

std::vector<target> pause_targets(const pause_results& results) {
  std::vector<target> out;
  for (const auto way : {capture_way::diff, capture_way::full}) {
    add_factor(results, way, small_mib, small_factor_max, out);
    add_factor(results, way, large_mib, large_factor_max, out);
  }
  add_total(results, out);
  add_written(results, out);
  add_checks(results, out);
  return out;
}

} // namespace forkfleet::bench
