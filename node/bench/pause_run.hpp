// SPDX-License-Identifier: Apache-2.0
// `bench pause` and `bench floor`: captures of real QEMU guests, by each way
// in turn, with a child of every snapshot. Knows no CAF.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "node/bench/interruption.hpp"
#include "node/bench/pause_report.hpp"
#include "node/bench/results_folder.hpp"

namespace forkfleet::bench {

/// What to run.
struct pause_plan {
  std::string name = "pause";
  std::vector<uint64_t> memories = {}; // MiB
  std::vector<uint64_t> rates = {};    // MiB a second
  std::vector<capture_way> ways = {};  // without the floor, which is always
  uint64_t captures = 5;
  uint64_t checks = 0; // 0: snapshots are not checked
  std::string guest_directory = {};
  std::string directory = {};
  std::chrono::milliseconds limit{1'200'000};
};

/// The plan that a checked command line of `pause` or `floor` means.
/// invalid_request names what does not fit or is not there.
expected<pause_plan> pause_plan_of(const config::invocation& given);

/// Runs it and keeps the results after each VM. A VM or a way that does not
/// work is a remark in the results; an interrupted run is no error.
expected<pause_results> run_pauses(const pause_plan& plan, conditions about,
                                   const results_folder& folder,
                                   const interruption& interrupted);

} // namespace forkfleet::bench
