// SPDX-License-Identifier: Apache-2.0
// What the actors of one node say to each other. None of it crosses the
// wire.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/descriptors.hpp"
#include "actors/interfaces.hpp"
#include "node/branch_cancel.hpp"
#include "node/branch_run.hpp"
#include "node/driver.hpp"
#include "node/limits/memory_look.hpp"
#include "node/limits/sandbox_cgroups.hpp"

namespace forkfleet {

/// What a blocking piece of work came to. Which members count depends on
/// the work.
struct host_answer {
  failure outcome = {};
  vmm_ptr vmm = {};
  vmm_health health = vmm_health::running;
  node_load load = {};
  std::string text = {};
  identity_receipt identity = {};
  made_cgroup cgroup = {};
  sandbox_network network = {};
  memory_sample memory = {};
  descriptor_sample descriptors = {};
  /// Something of a start that failed may run all the same: its name, its
  /// record and its directory must stay.
  bool is_left = false;
};

/// A blocking piece of work for a HOST WORKER. It must end by itself: each
/// wait in it has a deadline.
struct host_job {
  std::function<host_answer()> run = {};
};

/// A branch to be taken, from the NODE to the worker.
struct branch_order {
  branch_request request = {};
  /// When the NODE took it: its deadline counts from then.
  std::chrono::steady_clock::time_point arrival = {};
  branch_cancel_ptr cancel = {};
};

/// Runs a branch and answers with how it ended.
struct branch_outcome {
  branch_report report = {};
  snapshot_info snapshot = {};
};

/// Asks a SANDBOX for its VM, which it then leaves alone.
struct release_request {};

/// A reminder that an actor sends to itself.
struct tick {
  uint8_t which = 0;
  uint64_t round = 0; // one of an older round is void
};

/// Ends a NODE in order: no new work, wait for what runs, say goodbye.
struct drain_request {
  milliseconds grace{0};
};

// Only the types above need an inspect, to be printable; none is sent over
// the wire.
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, tick& x) {
  return f(caf::meta::type_name("tick"), x.which, x.round);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, release_request&) {
  return f(caf::meta::type_name("release_request"));
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, drain_request& x) {
  return f(caf::meta::type_name("drain_request"), x.grace);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, branch_outcome& x) {
  return f(caf::meta::type_name("branch_outcome"), x.report, x.snapshot);
}

/// HOST WORKER: blocks for others, one job at a time.
using host_worker_actor =
  caf::typed_actor<caf::replies_to<host_job>::with<host_answer>>;

/// SNAPSHOT WORKER: one branch, then it ends.
using snapshot_worker_actor =
  caf::typed_actor<caf::replies_to<branch_order>::with<branch_outcome>>;

/// SANDBOX: one VM for its whole life.
using sandbox_actor = caf::typed_actor<
  // Branch it. Answered when the branch has ended.
  caf::replies_to<branch_order>::with<branch_outcome>,
  // End its VM, or let go of one that somebody else started.
  caf::replies_to<stop_request>::with<done>,
  // INTERNAL: hand out its VM, and end.
  caf::replies_to<release_request>::with<host_answer>,
  // INTERNAL: look at the VM.
  caf::reacts_to<tick>>;

/// The NODE as its own host sees it.
using local_node_actor = node_actor::extend<
  // INTERNAL: time to connect, to show a sign of life.
  caf::reacts_to<tick>,
  // INTERNAL: a SNAPSHOT WORKER tells what happened.
  caf::reacts_to<fleet_event>,
  // INTERNAL: a SANDBOX tells that it changed.
  caf::reacts_to<sandbox_info>,
  // INTERNAL: the program ends.
  caf::replies_to<drain_request>::with<done>>;

} // namespace forkfleet

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(forkfleet::host_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(forkfleet::host_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(forkfleet::branch_order)

CAF_BEGIN_TYPE_ID_BLOCK(forkfleet_node, first_custom_type_id + 300)
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::host_answer))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::host_job))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::branch_outcome))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::tick))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::drain_request))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::branch_order))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::fleet_event))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::sandbox_info))
  CAF_ADD_TYPE_ID(forkfleet_node, (forkfleet::release_request))
CAF_END_TYPE_ID_BLOCK(forkfleet_node)
