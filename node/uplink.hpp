// SPDX-License-Identifier: Apache-2.0
// The NODE's way to the COORDINATOR: dial, say hello, tell all it holds,
// show signs of life, and start again when any of that fails.
#pragma once

#include "node/node.hpp"

namespace forkfleet::uplink {

/// Starts to dial. Call once.
void start(node_pointer self);

/// A reminder has come: which of the two follows from it.
enum class reminder : uint8_t { dial, heartbeat };
void on_reminder(node_pointer self, const tick& which);

/// The coordinator that we monitored is gone.
void on_down(node_pointer self, const caf::actor_addr& whom);

/// Tells the coordinator that something changed or happened; kept in order,
/// and for events also over a lost connection, up to a limit.
void tell(node_pointer self, const sandbox_info& changed);
void tell(node_pointer self, const snapshot_info& sealed);
void tell(node_pointer self, const operation_status& changed);
void tell(node_pointer self, const fleet_event& happened);
void tell_removed(node_pointer self, const sandbox_id& removed);
void tell_removed(node_pointer self, const snapshot_tag& removed);

/// Tells the load now, ahead of the next heartbeat.
void tell_load(node_pointer self);

/// Says goodbye, if joined, and calls `then` when it was heard or not.
void leave(node_pointer self, std::function<void()> then);

/// Whether a command of `epoch` must be obeyed; notes a higher one.
status obey(node_pointer self, uint64_t epoch);

} // namespace forkfleet::uplink
