// SPDX-License-Identifier: Apache-2.0
// SANDBOX: owns one VM for its whole life and serialises what is done to
// it. It survives the client that asked: a branch runs to its end.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "node/local_messages.hpp"

namespace forkfleet {

/// Starts a SNAPSHOT WORKER; the tests' one is not detached.
using worker_factory =
  std::function<snapshot_worker_actor(const branch_context&)>;

/// What a SANDBOX works with.
struct sandbox_setup {
  sandbox_info info = {};
  branch_context branching = {}; // its vmm is this sandbox's
  worker_factory make_worker = {};
  host_worker_actor hands = {};
  local_node_actor node = {};
  uint64_t console_bytes = 0; // kept of what it prints; 0: all of it
  milliseconds probe_interval{2000};
};

struct sandbox_actor_state {
  static inline const char* name = "sandbox";
  sandbox_setup setup = {};
  operation_id branching = {}; // the branch in flight; empty for none
  caf::typed_response_promise<branch_outcome> asked = {}; // who waits for it
  branch_outcome last = {}; // answers who asks again for the one before
  bool stopping = false;
  /// The look at the VM that a HOST WORKER was asked for; null for none.
  /// Who sets the flag first decides: the worker that begins, or the SANDBOX
  /// that calls it off.
  std::shared_ptr<std::atomic_flag> look = {};
  /// Waits for the look to end: one thread at a time uses the VM.
  std::function<void()> after_look = {};
};

/// Answers a second branch with branch_in_progress, whatever asks. The same
/// branch asked again waits for its outcome, or gets it.
sandbox_actor::behavior_type
sandbox(sandbox_actor::stateful_pointer<sandbox_actor_state> self,
        sandbox_setup setup);

} // namespace forkfleet
