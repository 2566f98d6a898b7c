// SPDX-License-Identifier: Apache-2.0
#include "node/bench/pause_report.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "actors/shell/figures.hpp"

namespace forkfleet::bench {

namespace {

using shell::duration_text;

time_series column(const pause_samples& samples,
                   microseconds pause_sample::*member) {
  time_series result;
  for (const auto& x : samples)
    result.push_back(x.*member);
  return result;
}

microseconds median(const pause_results& from, const pause_choice& choice,
                    microseconds pause_sample::*member) {
  return quantile(column(select(from, choice), member), 50);
}

/// The total of a full copy of the same VM: of the standing guest if there
/// is one.
microseconds full_total(const pause_results& from, pause_choice choice) {
  for (const auto way : {capture_way::stopped, capture_way::full}) {
    choice.way = way;
    if (const auto total = median(from, choice, &pause_sample::total);
        total.count() > 0)
      return total;
  }
  return {};
}

std::string percent_text(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : "";
}

uint64_t median_written(const pause_samples& samples) {
  std::vector<uint64_t> values;
  for (const auto& x : samples)
    values.push_back(x.written_bytes);
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

std::size_t count_of(const pause_samples& samples, check_outcome outcome) {
  return static_cast<std::size_t>(std::count_if(
    samples.begin(), samples.end(),
    [outcome](const pause_sample& x) { return x.check == outcome; }));
}

std::string checks_text(const pause_samples& samples) {
  const auto right = count_of(samples, check_outcome::right);
  const auto wrong = count_of(samples, check_outcome::wrong);
  if (right + wrong == 0)
    return "";
  return wrong == 0 ? std::to_string(right)
                    : fmt::format("{}, **{} WRONG**", right, wrong);
}

std::vector<std::string> row_of(const pause_results& results,
                                const pause_choice& choice) {
  const auto samples = select(results, choice);
  const auto pause = summarize(column(samples, &pause_sample::pause));
  auto floor = choice;
  floor.way = capture_way::floor;
  const auto least = median(results, floor, &pause_sample::pause);
  const auto gaps = summarize(column(samples, &pause_sample::guest_gap));
  const auto total = quantile(column(samples, &pause_sample::total), 50);
  const auto written = median_written(samples);
  const bool has_snapshot = choice.way != capture_way::floor
                            && choice.way != capture_way::hand_background;
  return {
    to_string(choice.way)
      + (samples.empty() ? "" : " (" + samples.back().method + ")"),
    std::to_string(samples.size()),
    fmt::format("{} / {} / {}", duration_text(pause.p50),
                duration_text(pause.p90), duration_text(pause.max)),
    least.count() > 0 ? fmt::format("{:.2f}", ratio(pause.p50, least)) : "",
    duration_text(quantile(column(samples, &pause_sample::vmm_pause), 50)),
    duration_text(gaps.p50) + " / " + duration_text(gaps.max),
    duration_text(quantile(column(samples, &pause_sample::silence), 100)),
    has_snapshot ? duration_text(total) : "",
    has_snapshot
      ? percent_text(static_cast<double>(total.count()),
                     static_cast<double>(full_total(results, choice).count()))
      : "",
    has_snapshot ? shell::size_text(written) : "",
    has_snapshot ? percent_text(static_cast<double>(written),
                                static_cast<double>(choice.memory_mib << 20))
                 : "",
    checks_text(samples)};
}

constexpr const char* explanation =
  "Times are p50 / p90 / max, p50 / max for the guest's gap. *pause*: from "
  "the stop to the guest seen running. *x floor*: pause p50 to that of stop, "
  "`xen-save-devices-state`, cont by hand over QMP on the same VM in the same "
  "run. *guest's gap*: the time that the guest itself found missing by its "
  "CMOS clock, to 0.2 ms. *silence*: the longest time that the host did not "
  "hear its ticks around the capture, noise of the host included. *of full*: "
  "total to that of a full copy of the same VM. *of memory*: bytes written "
  "to those of the guest's memory. *checked*: snapshots of which a child was "
  "restored that swept all of its memory and found it whole. The ways take "
  "turns on one VM, in an order that rotates.\n";

} // namespace

pause_samples select(const pause_results& from, const pause_choice& choice) {
  pause_samples result;
  for (const auto& x : from.samples)
    if (x.memory_mib == choice.memory_mib && x.rate_mib == choice.rate_mib
        && x.way == choice.way && x.pause.count() > 0)
      result.push_back(x);
  return result;
}

std::vector<pause_choice> choices_of(const pause_results& from) {
  std::set<pause_choice> known;
  for (const auto& x : from.samples)
    known.insert({x.memory_mib, x.rate_mib, x.way});
  return {known.begin(), known.end()};
}

text_table pause_table(const pause_results& results, uint64_t memory_mib,
                       uint64_t rate_mib) {
  text_table table{.head = {"way (method)", "n", "pause", "x floor",
                            "QEMU's p50", "guest's gap", "silence max",
                            "total p50", "of full", "written p50", "of memory",
                            "checked"}};
  for (const auto& choice : choices_of(results))
    if (choice.memory_mib == memory_mib && choice.rate_mib == rate_mib)
      table.rows.push_back(row_of(results, choice));
  return table;
}

std::string pause_report(const pause_results& results) {
  auto text = "# bench " + results.name + ": real QEMU guests\n\n"
              + markdown(results.about);
  if (results.name == "pause")
    text += "\n## Targets\n\n" + markdown(table_of(pause_targets(results)));
  std::set<std::pair<uint64_t, uint64_t>> vms;
  for (const auto& x : results.samples)
    vms.insert({x.memory_mib, x.rate_mib});
  for (const auto& [memory, rate] : vms)
    text +=
      fmt::format("\n## {} MiB of memory, {}\n\n", memory,
                  rate == 0 ? "idle" : fmt::format("{} MiB/s dirtied", rate))
      + markdown(pause_table(results, memory, rate));
  text += std::string{"\n"} + explanation;
  if (results.torn_made > 0)
    text += fmt::format("\nNegative control: {} of {} snapshots that were torn "
                        "on purpose were found out by their children.\n",
                        results.torn_caught, results.torn_made);
  std::string wrong;
  for (const auto& x : results.samples)
    if (!x.remark.empty())
      wrong += fmt::format("- {}, {} MiB, {} MiB/s, capture {}: {}\n",
                           to_string(x.way), x.memory_mib, x.rate_mib, x.number,
                           x.remark);
  if (!wrong.empty())
    text += "\n## What went wrong\n\n" + wrong;
  return text
         + fmt::format("\n![pauses]({0}.svg)\n\nEvery capture is in `{0}.csv` "
                       "and `{0}.json`.\n",
                       results.name);
}

std::vector<plot> pause_plots(const pause_results& results) {
  std::map<uint64_t, std::map<capture_way, plot_series>> by_rate;
  for (const auto& x : results.samples) {
    if (x.pause.count() == 0)
      continue;
    auto& series = by_rate[x.rate_mib][x.way];
    series.name = to_string(x.way);
    series.style = plot_style::dots;
    // The ways stand side by side over one size of memory.
    series.points.push_back(
      {static_cast<double>(x.memory_mib) + 12.0 * static_cast<double>(x.way),
       static_cast<double>(x.pause.count()) / 1e3});
  }
  std::vector<plot> plots;
  for (auto& [rate, ways] : by_rate) {
    plot one{.title = fmt::format("pause, {} MiB/s dirtied", rate),
             .x_name = "MiB of guest memory",
             .y_name = "ms"};
    for (auto& [way, series] : ways)
      one.series.push_back(std::move(series));
    plots.push_back(std::move(one));
  }
  return plots;
}

} // namespace forkfleet::bench
