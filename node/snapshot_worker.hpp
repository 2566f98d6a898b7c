// SPDX-License-Identifier: Apache-2.0
// SNAPSHOT WORKER: takes one branch on a thread of its own.
#pragma once

#include <optional>

#include "node/local_messages.hpp"

namespace forkfleet {

struct snapshot_worker_state {
  static inline const char* name = "snapshot-worker";
  branch_context context = {};
  std::optional<branch_outcome> outcome = {};
};

/// Blocks in every stage: spawn it detached, except in tests. The context's
/// clock is replaced by the worker's own, its arrival and its cancel by the
/// order's. Takes the branch once: asked again,
/// it gives the same answer. Ends at any exit message; link it to its SANDBOX.
snapshot_worker_actor::behavior_type snapshot_worker(
  snapshot_worker_actor::stateful_pointer<snapshot_worker_state> self,
  branch_context context);

} // namespace forkfleet
