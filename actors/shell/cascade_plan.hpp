// SPDX-License-Identifier: Apache-2.0
// What has to go before a snapshot can: children that map it, diffs over it,
// and what needs those. Pure: made of a tree. Knows no CAF.
#pragma once

#include <vector>

#include "actors/shell/lineage_tree.hpp"

namespace forkfleet::shell {

/// One thing that goes: a sandbox is stopped, a snapshot is removed.
struct cascade_step {
  std::string name = {};
  bool is_snapshot = false;
  std::string why = {};

  friend bool operator==(const cascade_step&, const cascade_step&) = default;
};

/// All steps, each after what needs it; the snapshot itself is the last.
/// Nothing when it is not there. What can do without it, such as a full
/// snapshot of a child, stays.
std::vector<cascade_step> cascade_of(const lineage_tree& tree,
                                     const snapshot_tag& tag);

} // namespace forkfleet::shell
