// SPDX-License-Identifier: Apache-2.0
#include "node/bench/chain_report.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "actors/shell/figures.hpp"

namespace forkfleet::bench {

namespace {

using shell::duration_text;

std::string times_text(const summary& x) {
  return fmt::format("{} / {} / {}", duration_text(x.p50), duration_text(x.p90),
                     duration_text(x.max));
}

std::string ratio_text(std::optional<double> x) {
  return x ? fmt::format("{:.2f}", *x) : "";
}

/// What a snapshot takes on the disk, where a path tells.
std::string stored_text(const chain_samples& samples) {
  std::vector<uint64_t> bytes;
  for (const auto& x : samples)
    if (x.stored_bytes > 0)
      bytes.push_back(x.stored_bytes);
  if (bytes.empty())
    return "";
  const auto middle =
    bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2);
  std::nth_element(bytes.begin(), middle, bytes.end());
  return shell::size_text(*middle);
}

/// Those that began with more unwritten than the kernel's threshold.
chain_samples with_backlog(const chain_samples& samples, uint64_t threshold) {
  chain_samples result;
  for (const auto& x : samples)
    if (x.dirty_bytes > threshold)
      result.push_back(x);
  return result;
}

std::set<uint64_t> diffs_of(const chain_results& results, chain_part part) {
  std::set<uint64_t> result;
  for (const auto& x : results.samples)
    if (x.part == part)
      result.insert(x.diff_mib);
  return result;
}

/// Medians of BRANCH `first` to `last` over all rounds.
microseconds median_between(const chain_samples& samples, uint64_t first,
                            uint64_t last) {
  chain_samples chosen;
  std::copy_if(samples.begin(), samples.end(), std::back_inserter(chosen),
               [first, last](const chain_sample& x) {
                 return x.branch >= first && x.branch <= last;
               });
  return quantile(pauses(chosen), 50);
}

/// The seed tells its own gain over `before` at two places of its chain.
std::string gains(const chain_results& results) {
  const auto before =
    select(results, {chain_part::rounds, chain_arm::before, 1, {}});
  text_table table{.head = {"before / arm", "BRANCH 6", "median of 3 to 10"}};
  table.rows.push_back({"the seed's own claim", "17.6x", "8.5x"});
  for (const auto arm : {chain_arm::seed_as_coded, chain_arm::ours_full,
                         chain_arm::ours_reflink, chain_arm::ours_diff}) {
    const auto other = select(results, {chain_part::rounds, arm, 1, {}});
    if (before.empty() || other.empty())
      continue;
    const auto row = [&](uint64_t first, uint64_t last) {
      return fmt::format("{:.1f}x", ratio(median_between(before, first, last),
                                          median_between(other, first, last)));
    };
    table.rows.push_back({to_string(arm), row(6, 6), row(3, 10)});
  }
  return markdown(table);
}

std::string ends_text(const chain_results& results) {
  std::string text;
  std::size_t verified = 0;
  for (const auto& end : results.ends) {
    verified += end.verified ? 1 : 0;
    if (!end.remark.empty())
      text += fmt::format("- {}, {} MiB, round {}: {}\n", to_string(end.arm),
                          end.diff_mib, end.round, end.remark);
  }
  return fmt::format("{} of {} chains ended in a snapshot that is, byte for "
                     "byte, the memory of the stopped guest.\n{}",
                     verified, results.ends.size(), text);
}

constexpr const char* explanation =
  "Times are p50 / p90 / max. *pause*: the guest stood still. *sync*: of "
  "that, in fsync. *total*: until the call returned. *durable*: until all of "
  "it was on the disk; the seed's arms never make sure of that, and for "
  "`seed-as-coded` alone it is measured with an fdatasync after the call. "
  "*backlog*: BRANCHes that began with more unwritten page cache than "
  "`vm.dirty_background_bytes`. *ratio*: pause p50 to that of the tmpfs "
  "control of the same round, the median of the rounds. *stored*: what a "
  "snapshot of ours takes on the disk. *null*: a pause in which nothing is "
  "done. The ours arms are `run_branch` with the real disk "
  "store and journal; all arms have the same simulated guest.\n";

} // namespace

text_table chain_table(const chain_results& results, chain_part part,
                       uint64_t diff_mib) {
  text_table table{.head = {"arm", "n", "pause", "1st half", "2nd half",
                            "backlog p50 (n)", "ratio", "sync p50", "copy p50",
                            "total", "durable p50", "stored p50", "null p90"}};
  for (const auto& choice : chains_of(results)) {
    if (choice.part != part || choice.diff_mib != diff_mib)
      continue;
    const auto samples = select(results, choice);
    const auto pause = summarize(pauses(samples));
    const auto durable = durables(samples);
    const auto late = with_backlog(samples, results.background_bytes);
    time_series syncs;
    time_series copies;
    time_series nulls;
    for (const auto& x : samples) {
      syncs.push_back(x.sync);
      copies.push_back(x.copy);
      nulls.push_back(x.null_pause);
    }
    table.rows.push_back(
      {to_string(choice.arm), std::to_string(pause.count), times_text(pause),
       duration_text(pause.first_half_p50),
       duration_text(pause.second_half_p50),
       late.empty()
         ? "none"
         : fmt::format("{} ({})", duration_text(quantile(pauses(late), 50)),
                       late.size()),
       ratio_text(ratio_to_control(results, choice)),
       duration_text(quantile(syncs, 50)), duration_text(quantile(copies, 50)),
       times_text(summarize(totals(samples))),
       durable.empty() ? "" : duration_text(quantile(durable, 50)),
       stored_text(samples), duration_text(quantile(nulls, 90))});
  }
  return table;
}

std::string chain_report(const chain_results& results) {
  auto text = fmt::format("# bench chain, {}: {} MiB image at {:.0f} MB/s\n\n",
                          results.file_system, results.image_mib,
                          static_cast<double>(results.bytes_per_second) / 1e6);
  text += markdown(results.about) + "\n## Targets\n\n"
          + markdown(table_of(chain_targets(results)));
  text += "\n## Against the seed's figures (1 MiB, pause)\n\n" + gains(results);
  for (const auto part : {chain_part::rounds, chain_part::long_chain})
    for (const auto diff : diffs_of(results, part))
      text += fmt::format("\n## {} MiB dirtied between BRANCHes{}\n\n", diff,
                          part == chain_part::long_chain ? ", long chains" : "")
              + markdown(chain_table(results, part, diff));
  text += std::string{"\n"} + explanation;
  text += "\n## Checks\n\n" + ends_text(results);
  text += "\n![times of each BRANCH](chain.svg)\n\nEvery BRANCH is in "
          "`chain.csv` and `chain.json`.\n";
  return text;
}

std::vector<plot> chain_plots(const chain_results& results) {
  const auto line_of = [&](const chain_choice& choice,
                           microseconds chain_sample::*member) {
    std::map<uint64_t, time_series> by_branch;
    for (const auto& x : select(results, choice))
      by_branch[x.branch].push_back(x.*member);
    plot_series line{.name = to_string(choice.arm)};
    for (const auto& [branch, times] : by_branch)
      line.points.push_back(
        {static_cast<double>(branch),
         static_cast<double>(quantile(times, 50).count()) / 1e3});
    return line;
  };
  std::vector<plot> plots;
  for (const auto part : {chain_part::rounds, chain_part::long_chain})
    for (const auto diff : diffs_of(results, part))
      for (const auto& [name, member] :
           {std::pair{"pause", &chain_sample::pause},
            std::pair{"total", &chain_sample::total}}) {
        plot one{.title = fmt::format("{}, {} MiB dirtied, {}", name, diff,
                                      results.file_system),
                 .x_name = "BRANCH",
                 .y_name = "ms"};
        for (const auto& choice : chains_of(results))
          if (choice.part == part && choice.diff_mib == diff)
            one.series.push_back(line_of(choice, member));
        plots.push_back(std::move(one));
      }
  return plots;
}

} // namespace forkfleet::bench
