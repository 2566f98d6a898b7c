// SPDX-License-Identifier: Apache-2.0
// `bench chain`: chains of BRANCHes by each write path, interleaved, on a
// device of known bandwidth. Knows no CAF.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "node/bench/chain_results.hpp"
#include "node/bench/interruption.hpp"
#include "node/bench/results_folder.hpp"

namespace forkfleet::bench {

inline constexpr uint64_t mib = 1u << 20;

/// What to run.
struct chain_plan {
  std::string file_system = "ext4";
  uint64_t image_bytes = 512u << 20;
  std::vector<uint64_t> diffs = {}; // MiB
  std::vector<chain_arm> arms = {};
  uint64_t branches = 10;
  uint64_t large_branches = 5;
  uint64_t rounds = 3;
  uint64_t long_branches = 100;
  std::chrono::milliseconds gap{1000};
  std::chrono::milliseconds long_gap{300};
  uint64_t bytes_per_second = 150'000'000;
  double tolerance = 0.05;
  std::chrono::milliseconds limit{1'200'000};
};

/// The plan that a checked command line means. invalid_request names what
/// does not fit.
expected<chain_plan> chain_plan_of(const config::invocation& given);

/// Runs it and keeps the results after each chain. An interrupted run is no
/// error; its results say so. The results are returned, too.
expected<chain_results> run_chains(const chain_plan& plan, conditions about,
                                   const results_folder& folder,
                                   const interruption& interrupted);

/// One chain to run.
struct chain_step {
  chain_part part = chain_part::rounds;
  chain_arm arm = chain_arm::before;
  uint64_t diff_mib = 1;
  uint64_t round = 0;
  uint64_t branches = 10;

  friend bool operator==(const chain_step&, const chain_step&) = default;
};

/// The chains of the interleaved rounds, in their order. Arms that the file
/// system has not are left out.
std::vector<chain_step> schedule(const chain_plan& plan);

/// Whether this file system can share extents between files.
bool has_reflink(const std::string& file_system);

} // namespace forkfleet::bench
