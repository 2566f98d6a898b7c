// SPDX-License-Identifier: Apache-2.0
// Pure: whether a lineage may grow by one more child or snapshot.
#pragma once

#include <map>

#include "actors/sandbox_protocol.hpp"
#include "config/limits_section.hpp"

namespace forkfleet {

/// Whether a snapshot that has `children` may have one more. limit_reached
/// names the limit, and where it is changed.
status check_child(const config::limits_section& limits,
                   const snapshot_tag& tag, uint64_t children);

/// Whether one more snapshot may be taken of `source`, a child of `parent`
/// (empty: it is of none).
status check_snapshot(const config::limits_section& limits,
                      const sandbox_id& source, const snapshot_tag& parent,
                      const std::map<snapshot_tag, snapshot_info>& known);

} // namespace forkfleet
