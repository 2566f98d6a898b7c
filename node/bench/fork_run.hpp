// SPDX-License-Identifier: Apache-2.0
// `bench fork`: children by the dozen of one snapshot, simulated ones and real
// QEMU guests, and a child started and killed again and again. Knows no CAF.
#pragma once

#include <chrono>
#include <string>

#include "config/options.hpp"
#include "node/bench/fork_report.hpp"
#include "node/bench/interruption.hpp"
#include "node/bench/results_folder.hpp"

namespace forkfleet::bench {

/// What to run. A count of 0 leaves that part out.
struct fork_plan {
  uint64_t memory_mib = 256;
  uint64_t simulated = 100; // children of a simulated guest
  uint64_t vms = 24;        // children of a QEMU guest
  uint64_t in_flight = 4;   // that are started at once
  uint64_t cycles = 1000;
  uint64_t cycle_memory_mib = 96;
  std::string guest_directory = {};
  std::string directory = {};
  std::chrono::milliseconds limit{1'800'000};
};

/// The plan that a checked command line of `fork` means. invalid_request names
/// what does not fit or is not there.
expected<fork_plan> fork_plan_of(const config::invocation& given);

/// Runs it and keeps the results after each part. A child that fails is a
/// remark in its sample; an interrupted run is no error.
expected<fork_results> run_forks(const fork_plan& plan, conditions about,
                                 const results_folder& folder,
                                 const interruption& interrupted);

} // namespace forkfleet::bench
