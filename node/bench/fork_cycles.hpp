// SPDX-License-Identifier: Apache-2.0
// One small child after the other, started and killed: what grows by that
// shows between the readings. Knows no CAF.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "node/bench/branch_place.hpp"
#include "node/bench/fork_sample.hpp"

namespace forkfleet::bench {

/// What to run.
struct cycles_plan {
  uint64_t cycles = 1000;
  uint64_t memory_mib = 96;
  std::string guest_directory = {};
  std::string directory = {}; // for the VMs' directories, and nothing else
};

/// What came out.
struct cycles_result {
  std::vector<host_reading> readings = {}; // the first before any cycle
  uint64_t failed = 0;
  std::vector<std::string> remarks = {}; // of the first failures
};

/// Ends them by turns in order and by SIGKILL to QEMU. Stops early when
/// `is_over` says so. An error is of the guest or its branch.
expected<cycles_result> run_cycles(const cycles_plan& plan, branch_place& place,
                                   const std::function<bool()>& is_over);

} // namespace forkfleet::bench
