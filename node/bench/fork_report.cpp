// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_report.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "actors/shell/figures.hpp"
#include "node/bench/statistics.hpp"

namespace forkfleet::bench {

namespace {

constexpr const char* drivers[] = {"simulated", "qemu"};

/// This process' heap may grow so much between its second reading and its
/// last: what allocators keep.
constexpr uint64_t memory_growth_max = 4u << 20;

fork_samples of_driver(const fork_results& results, std::string_view driver) {
  fork_samples chosen;
  for (const auto& x : results.samples)
    if (x.driver == driver)
      chosen.push_back(x);
  return chosen;
}

std::size_t count_alive(const fork_samples& samples) {
  return static_cast<std::size_t>(
    std::ranges::count_if(samples, [](const auto& x) { return x.counts_on; }));
}

std::size_t count_different(const fork_samples& samples,
                            std::string fork_sample::*member) {
  std::set<std::string> known;
  for (const auto& x : samples)
    if (!(x.*member).empty())
      known.insert(x.*member);
  return known.size();
}

std::string times_text(const fork_samples& samples,
                       microseconds fork_sample::*member) {
  time_series series;
  for (const auto& x : samples)
    if ((x.*member).count() > 0)
      series.push_back(x.*member);
  const auto times = summarize(series);
  return fmt::format("{} / {} / {}", shell::duration_text(times.p50),
                     shell::duration_text(times.p90),
                     shell::duration_text(times.max));
}

std::string bytes_text(const fork_samples& samples,
                       uint64_t fork_sample::*member) {
  std::vector<uint64_t> values;
  for (const auto& x : samples)
    values.push_back(x.*member);
  if (values.empty())
    return "";
  std::ranges::sort(values);
  return shell::size_text(values[(values.size() - 1) / 2]) + " / "
         + shell::size_text(values.back());
}

uint64_t wanted_of(const fork_results& results, std::string_view driver) {
  return driver == drivers[0] ? results.simulated_wanted : results.vms_wanted;
}

void add_growth(const std::string& name, uint64_t before, uint64_t after,
                uint64_t most, const std::string& unit,
                std::vector<target>& out) {
  const auto grown = after > before ? after - before : 0;
  out.push_back(at_most("growth over all cycles: " + name,
                        static_cast<double>(grown), static_cast<double>(most),
                        unit));
}

void add_cycles(const fork_results& results, std::vector<target>& out) {
  if (results.cycles_wanted == 0)
    return;
  const auto& readings = results.readings;
  if (readings.size() < 3) {
    out.push_back(not_measured("cycles of a child started and killed",
                               fmt::format("{}", results.cycles_wanted)));
    return;
  }
  const auto& last = readings.back();
  out.push_back(at_least("cycles of a child started and killed",
                         static_cast<double>(last.cycles),
                         static_cast<double>(results.cycles_wanted), ""));
  out.push_back(at_most("cycles that failed",
                        static_cast<double>(results.cycles_failed), 0, ""));
  const auto& first = readings.front();
  add_growth("processes", first.processes, last.processes, 0, "", out);
  add_growth("descriptors", first.descriptors, last.descriptors, 0, "", out);
  add_growth("files, sockets, directories", first.entries, last.entries, 0, "",
             out);
  add_growth("network namespaces", first.namespaces, last.namespaces, 0, "",
             out);
  add_growth("own memory after the first tenth", readings[1].memory_bytes,
             last.memory_bytes, memory_growth_max, " bytes", out);
}

constexpr const char* explanation =
  "Times are p50 / p90 / max, each from the request for that child; they are "
  "requested some at a time. *started*: its VM runs. *ready*: its guest agent "
  "acknowledged an identity of its own (entropy, clock, host name, machine "
  "id); a simulated guest has no agent and is ready once it has counted. "
  "*PSS*: p50 / max of the memory that a child accounts for while all of them "
  "run, the shared image divided among them; *own*: what of that lies in no "
  "file, so what it costs beyond the image. A simulated child is no process: "
  "its figure is what this process grew by, divided. *alive*: the first count "
  "heard of it is not before the branch point and no further from it than a "
  "guest can count in that time, and it counts further.\n";

} // namespace

text_table fork_table(const fork_results& results) {
  text_table table{.head = {"driver", "children", "alive", "identities",
                            "started", "ready", "PSS", "own"}};
  for (const auto* driver : drivers) {
    const auto samples = of_driver(results, driver);
    if (samples.empty())
      continue;
    table.rows.push_back(
      {driver, std::to_string(samples.size()),
       std::to_string(count_alive(samples)),
       std::to_string(count_different(samples, &fork_sample::identity)),
       times_text(samples, &fork_sample::started),
       times_text(samples, &fork_sample::ready),
       bytes_text(samples, &fork_sample::pss_bytes),
       bytes_text(samples, &fork_sample::own_bytes)});
  }
  return table;
}

text_table census_table(const fork_results& results) {
  text_table table{.head = {"cycles", "processes", "descriptors", "entries",
                            "namespaces", "own memory"}};
  for (const auto& x : results.readings)
    table.rows.push_back(
      {std::to_string(x.cycles), std::to_string(x.processes),
       std::to_string(x.descriptors), std::to_string(x.entries),
       std::to_string(x.namespaces), shell::size_text(x.memory_bytes)});
  return table;
}

std::vector<target> fork_targets(const fork_results& results) {
  std::vector<target> out;
  for (const auto* driver : drivers) {
    const auto wanted = static_cast<double>(wanted_of(results, driver));
    if (wanted == 0)
      continue;
    const auto samples = of_driver(results, driver);
    const auto name = std::string{driver} + " children that ";
    out.push_back(at_least(name + "count on from the branch point",
                           static_cast<double>(count_alive(samples)), wanted,
                           ""));
    out.push_back(at_least(
      name + "have an identity that no other has",
      static_cast<double>(count_different(samples, &fork_sample::identity)),
      wanted, ""));
    if (driver == drivers[1])
      out.push_back(at_least(
        name + "drew random bytes that no other drew",
        static_cast<double>(count_different(samples, &fork_sample::entropy)),
        wanted, ""));
  }
  add_cycles(results, out);
  return out;
}

std::vector<plot> fork_plots(const fork_results& results) {
  std::vector<plot> plots;
  for (const auto* driver : drivers) {
    plot one{.title = std::string{driver} + " children",
             .x_name = "child",
             .y_name = "ms",
             .series = {{.name = "started", .style = plot_style::dots},
                        {.name = "ready", .style = plot_style::dots}}};
    for (const auto& x : of_driver(results, driver)) {
      const auto add = [&x](plot_series& to, microseconds time) {
        if (time.count() > 0)
          to.points.push_back({static_cast<double>(x.number),
                               static_cast<double>(time.count()) / 1e3});
      };
      add(one.series[0], x.started);
      add(one.series[1], x.ready);
    }
    if (!one.series[0].points.empty())
      plots.push_back(std::move(one));
  }
  return plots;
}

std::string fork_report(const fork_results& results) {
  auto text =
    "# bench fork: children of one branch point\n\n" + markdown(results.about)
    + "\n## Targets\n\n" + markdown(table_of(fork_targets(results)))
    + fmt::format("\n## Children of a guest of {} MiB\n\n", results.memory_mib)
    + markdown(fork_table(results)) + "\n" + explanation;
  std::string wrong;
  for (const auto& x : results.samples)
    if (!x.remark.empty())
      wrong += fmt::format("- {} {}: {}\n", x.driver, x.number, x.remark);
  if (!wrong.empty())
    text += "\n## What went wrong\n\n" + wrong;
  if (!results.readings.empty())
    text += "\n## Children that were started and killed, one after the "
            "other\n\n"
            + markdown(census_table(results));
  return text
         + "\n![times](fork.svg)\n\nEvery child is in `fork.csv` and "
           "`fork.json`.\n";
}

} // namespace forkfleet::bench
