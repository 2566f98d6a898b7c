// SPDX-License-Identifier: Apache-2.0
// What a branch may capture, asked of its VM and its store before anything is
// made: the ways that there are, and the snapshot that a diff is relative to.
// Knows no CAF.
#pragma once

#include <vector>

#include "node/branch_run.hpp"
#include "node/mode_choice.hpp"

namespace forkfleet {

struct branch_plan {
  vmm_capabilities vm = {};
  snapshot_info base = {}; // no tag: none
  std::vector<mode_choice> ways = {};
};

/// Finds base and ways. A VM whose changes are tracked has the one base that
/// they are known against; any other is compared with the newest snapshot of
/// its own, else with its parent. Errors: those of the VM; unsupported names
/// the obstacle of an explicit mode.
expected<branch_plan> plan_branch(const branch_context& context,
                                  const branch_request& request,
                                  deadline_point until);

} // namespace forkfleet
