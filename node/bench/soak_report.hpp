// SPDX-License-Identifier: Apache-2.0
// What a soak found: snapshots of guests that make it hard, each restored and
// checked by its child. Pure.
#pragma once

#include <string>
#include <vector>

#include "node/bench/conditions.hpp"
#include "node/bench/pause_sample.hpp"
#include "node/bench/target.hpp"

namespace forkfleet::bench {

/// Captures of one kind of VM.
struct soak_case {
  std::string name = {}; // such as "ours, direct disk"
  pause_samples samples = {};
};

/// Something wrong that was brought about, to see it found.
struct soak_control {
  std::string name = {};
  std::string found = {}; // the child's words; empty: it was not found out
};

/// All of a run.
struct soak_results {
  conditions about = {};
  std::vector<soak_case> cases = {};
  std::vector<soak_control> controls = {};
  uint64_t checks_wanted = 0;
};

/// How many samples of all cases came out so.
std::size_t count_checks(const soak_results& from, check_outcome outcome);

/// A line for each case, way and method.
text_table soak_table(const soak_results& results);

/// What the run is to show.
std::vector<target> soak_targets(const soak_results& results);

/// The page that is kept of it, in Markdown.
std::string soak_report(const soak_results& results);

} // namespace forkfleet::bench
