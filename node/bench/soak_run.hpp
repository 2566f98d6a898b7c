// SPDX-License-Identifier: Apache-2.0
// Branches guests that make it hard, again and again and by every method, and
// has a child of each snapshot look for what is wrong.
#pragma once

#include <chrono>
#include <string>

#include "config/options.hpp"
#include "node/bench/interruption.hpp"
#include "node/bench/results_folder.hpp"
#include "node/bench/soak_report.hpp"

namespace forkfleet::bench {

/// What to run.
struct soak_plan {
  uint64_t memory_mib = 192;
  uint64_t rate_mib = 40;
  uint64_t checks = 300;
  std::string guest_directory = {};
  std::string directory = {};
  std::chrono::milliseconds limit{2'400'000};
};

/// What the command line asks for.
expected<soak_plan> soak_plan_of(const config::invocation& given);

/// Runs it; what was found so far is kept in `folder` all the time.
expected<soak_results> run_soak(const soak_plan& plan, conditions about,
                                const results_folder& folder,
                                const interruption& interrupted);

} // namespace forkfleet::bench
