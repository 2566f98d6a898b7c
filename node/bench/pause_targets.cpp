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

/// A diff's total p50 / that of the full copy of the same VM.
std::optional<double> total_share(const pause_results& results,
                                  pause_choice choice) {
  const auto ours = p50(results, choice, &pause_sample::total);
  choice.way = capture_way::stopped;
  auto copy = p50(results, choice, &pause_sample::total);
  choice.way = capture_way::full;
  if (copy.count() == 0)
    copy = p50(results, choice, &pause_sample::total);
  if (ours.count() == 0 || copy.count() == 0)
    return std::nullopt;
  return ratio(ours, copy);
}

/// A diff of a busy guest is a large part of its memory: no write path can
/// make that small. It is told all the same.
void add_total(const pause_results& results, std::vector<target>& out) {
  std::optional<double> idle;
  std::optional<double> any;
  for (const auto& choice : choices_of(results)) {
    const auto share = choice.way == capture_way::diff
                         ? total_share(results, choice)
                         : std::nullopt;
    if (share)
      any = std::max(any.value_or(0), *share);
    if (share && choice.rate_mib == 0)
      idle = std::max(idle.value_or(0), *share);
  }
  const auto add = [&out](const std::string& name, std::optional<double> x) {
    out.push_back(x ? at_most(name, *x, total_share_max, "x")
                    : not_measured(name, "at most 0.05x"));
  };
  add("diff of an idle guest: total p50 / a full copy's, worst VM", idle);
  add("diff: total p50 / a full copy's, worst VM", any);
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
