// SPDX-License-Identifier: Apache-2.0
// The results of `bench chain` for people: tables, targets, plots, and one
// page of Markdown. Pure.
#pragma once

#include <string>
#include <vector>

#include "node/bench/chain_results.hpp"
#include "node/bench/svg_plot.hpp"
#include "node/bench/target.hpp"

namespace forkfleet::bench {

/// A row for each chain of that part and diff size.
text_table chain_table(const chain_results& results, chain_part part,
                       uint64_t diff_mib);

/// What the engine is to show, for the chains that were measured.
std::vector<target> chain_targets(const chain_results& results);

/// The page.
std::string chain_report(const chain_results& results);

/// Pause and total of each BRANCH, by diff size and for the long chains.
std::vector<plot> chain_plots(const chain_results& results);

} // namespace forkfleet::bench
