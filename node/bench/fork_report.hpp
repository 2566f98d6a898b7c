// SPDX-License-Identifier: Apache-2.0
// The results of `bench fork` for people: tables, targets, a plot, and one
// page of Markdown. Pure.
#pragma once

#include <string>
#include <vector>

#include "node/bench/conditions.hpp"
#include "node/bench/fork_sample.hpp"
#include "node/bench/svg_plot.hpp"
#include "node/bench/target.hpp"
#include "node/bench/text_table.hpp"

namespace forkfleet::bench {

/// What one run was asked for, and all that it found.
struct fork_results {
  conditions about = {};
  uint64_t memory_mib = 0;
  uint64_t simulated_wanted = 0;
  uint64_t vms_wanted = 0;
  uint64_t cycles_wanted = 0;
  fork_samples samples = {};
  std::vector<host_reading> readings = {};
  uint64_t cycles_failed = 0;
};

/// A row for each driver: times, memory, what of it is as it should be.
text_table fork_table(const fork_results& results);

/// A row for each reading.
text_table census_table(const fork_results& results);

std::vector<target> fork_targets(const fork_results& results);
std::vector<plot> fork_plots(const fork_results& results);

/// The page.
std::string fork_report(const fork_results& results);

} // namespace forkfleet::bench
