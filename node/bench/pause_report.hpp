// SPDX-License-Identifier: Apache-2.0
// The results of `bench pause` and `bench floor` for people: tables, targets,
// a plot, and one page of Markdown. Pure.
#pragma once

#include <string>
#include <vector>

#include "node/bench/conditions.hpp"
#include "node/bench/pause_sample.hpp"
#include "node/bench/statistics.hpp"
#include "node/bench/svg_plot.hpp"
#include "node/bench/target.hpp"

namespace forkfleet::bench {

/// All that one run found.
struct pause_results {
  std::string name = "pause"; // of the benchmark
  conditions about = {};
  pause_samples samples = {};
  uint64_t checks_wanted = 0;
  /// Snapshots that were torn on purpose, and how many a child noticed.
  uint64_t torn_made = 0;
  uint64_t torn_caught = 0;
};

/// Which VM and way.
struct pause_choice {
  uint64_t memory_mib = 0;
  uint64_t rate_mib = 0;
  capture_way way = capture_way::floor;

  friend auto operator<=>(const pause_choice&, const pause_choice&) = default;
};

/// Those that succeeded.
pause_samples select(const pause_results& from, const pause_choice& choice);

/// All that were tried, each once, in order.
std::vector<pause_choice> choices_of(const pause_results& from);

/// A row for each way of that VM.
text_table pause_table(const pause_results& results, uint64_t memory_mib,
                       uint64_t rate_mib);

/// What the engine is to show.
std::vector<target> pause_targets(const pause_results& results);

/// The page.
std::string pause_report(const pause_results& results);

/// Pauses by memory, a plot for each rate.
std::vector<plot> pause_plots(const pause_results& results);

} // namespace forkfleet::bench
