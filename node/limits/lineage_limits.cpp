// SPDX-License-Identifier: Apache-2.0
#include "node/limits/lineage_limits.hpp"

#include <fmt/format.h>

namespace forkfleet {

namespace {

/// Snapshots from `tag` up; one that is not known any more ends the line.
uint64_t line_above(snapshot_tag tag,
                    const std::map<snapshot_tag, snapshot_info>& known) {
  uint64_t result = 0;
  while (!tag.empty() && result <= known.size()) {
    ++result;
    const auto found = known.find(tag);
    tag = found == known.end() ? snapshot_tag{} : found->second.parent;
  }
  return result;
}

} // namespace

status check_child(const config::limits_section& limits,
                   const snapshot_tag& tag, uint64_t children) {
  const auto most = limits.children_per_snapshot;
  if (most == 0 || children < most)
    return {};
  return fail(ec::limit_reached,
              fmt::format("snapshot {} has {} sandboxes, and "
                          "limits.children_per_snapshot in the fleet file is "
                          "{}; stop some, or raise it",
                          tag.value, children, most));
}

status check_snapshot(const config::limits_section& limits,
                      const sandbox_id& source, const snapshot_tag& parent,
                      const std::map<snapshot_tag, snapshot_info>& known) {
  const auto depth = line_above(parent, known) + 1;
  if (limits.lineage_depth != 0 && depth > limits.lineage_depth)
    return fail(ec::limit_reached,
                fmt::format("a snapshot of {} would be number {} in its line, "
                            "and limits.lineage_depth in the fleet file is {}; "
                            "branch an earlier sandbox, or raise it",
                            source.value, depth, limits.lineage_depth));
  if (limits.source_bytes.value == 0)
    return {};
  uint64_t bytes = 0;
  for (const auto& [tag, x] : known)
    if (x.source == source)
      bytes += x.stored_bytes;
  if (bytes < limits.source_bytes.value)
    return {};
  return fail(ec::limit_reached,
              fmt::format("the snapshots of {} take {} bytes, and "
                          "limits.source_bytes in the fleet file is {} bytes; "
                          "remove some, or raise it",
                          source.value, bytes, limits.source_bytes.value));
}

} // namespace forkfleet
