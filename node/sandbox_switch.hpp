// SPDX-License-Identifier: Apache-2.0
// Pure: what stands against one VM taking the place of another under a
// sandbox' name, where it lies, and who has the name when a switch was cut
// short.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "actors/switch_protocol.hpp"
#include "node/storage/sandbox_records.hpp"

namespace forkfleet {

using snapshot_map = std::map<snapshot_tag, snapshot_info>;

/// Whether the snapshot was taken of this sandbox, or is one that it came
/// from, at any distance.
bool is_own_lineage(const sandbox_info& sandbox, const snapshot_info& snapshot,
                    const snapshot_map& all);

/// Why `sandbox` cannot go back to `snapshot`.
status check_rollback(const sandbox_info& sandbox,
                      const snapshot_info& snapshot, bool force,
                      const snapshot_map& all);

/// A directory's name for a VM of the sandbox that is not among `taken`.
sandbox_id free_place(const sandbox_id& id, const std::set<sandbox_id>& taken);

/// Of several records under one name, a switch left all but one: the last
/// that was finished has the name. Takes the others out of `records`.
std::vector<sandbox_record> take_replaced(std::vector<sandbox_record>& records);

} // namespace forkfleet
