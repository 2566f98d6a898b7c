// SPDX-License-Identifier: Apache-2.0
// Nodes, sandboxes, snapshots and events as tables for people.
#pragma once

#include <vector>

#include "actors/fleet_protocol.hpp"
#include "actors/shell/table.hpp"

namespace forkfleet::shell {

/// How a list is shown, and when.
struct list_view {
  bool wide = false;
  bool utf8 = true;
  microseconds unix_now{0};
};

table node_table(const std::vector<node_info>& nodes, const list_view& view);
table sandbox_table(const std::vector<sandbox_info>& sandboxes,
                    const list_view& view);
table snapshot_table(const std::vector<snapshot_info>& snapshots,
                     const list_view& view);

/// One event as a line without its line feed: time, kind, of what, details.
std::string event_line(const fleet_event& x, const list_view& view);

} // namespace forkfleet::shell
