// SPDX-License-Identifier: Apache-2.0
// A batch of children of one snapshot that all run at once: started some at a
// time, looked at when the last one is there, then ended. Knows no CAF.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "node/bench/branch_place.hpp"
#include "node/bench/fork_sample.hpp"

namespace forkfleet::bench {

/// What a batch is made of.
struct batch_plan {
  uint64_t children = 0;
  uint64_t in_flight = 4;
  uint64_t memory_mib = 256;
  std::string guest_directory = {}; // for QEMU
  std::string directory = {};       // for the VMs' directories
};

/// Children of a simulated guest, in this process. None is begun once `is_over`
/// says so. An error is of the guest
/// or its branch; a child's stands in its sample.
expected<fork_samples> fork_simulated(const batch_plan& plan,
                                      branch_place& place,
                                      const std::function<bool()>& is_over);

/// Children of a QEMU guest with an agent, each with an identity of its own.
/// Same errors.
expected<fork_samples> fork_vms(const batch_plan& plan, branch_place& place,
                                const std::function<bool()>& is_over);

/// Calls `work` with 0 to `count` - 1 from `threads` threads, in order of
/// their numbers, until `stop` says so.
void in_parallel(uint64_t count, uint64_t threads,
                 const std::function<void(uint64_t)>& work,
                 const std::function<bool()>& stop);

} // namespace forkfleet::bench
