// SPDX-License-Identifier: Apache-2.0
// All that is known of a snapshot or a sandbox, for people and scripts. Pure.
// Knows no CAF.
#pragma once

#include <optional>
#include <string>

#include "actors/schema/json.hpp"
#include "actors/shell/lineage_tree.hpp"
#include "actors/snapshot_protocol.hpp"

namespace forkfleet::shell {

/// What the tree knows of one of its entries, and of a snapshot what its host
/// told: kind, name, lineage up to the root, what needs it, what came of it.
schema::json known_of(const lineage_tree& tree, std::size_t place,
                      const std::optional<inspect_report>& report);

/// The same as lines.
std::string inspect_text(const schema::json& known);

/// What a comparison found, in lines.
std::string compare_text(const compare_report& x);

} // namespace forkfleet::shell
