// SPDX-License-Identifier: Apache-2.0
// The map of the system: who understands what. NODE stands in type_ids.hpp,
// because its handle crosses the wire.
#pragma once

#include "actors/type_ids.hpp"

namespace forkfleet {

/// What clients ask of the COORDINATOR. Every request that changes something
/// carries an operation id; a repeated one gets the first outcome.
using client_api = caf::typed_actor<
  // Branch a running sandbox. Answered when it has ended.
  caf::replies_to<branch_request>::with<branch_report>,
  // What became of an operation.
  caf::replies_to<operation_query>::with<operation_status>,
  // Start a child of a snapshot.
  caf::replies_to<restore_request>::with<restore_report>,
  // End a sandbox.
  caf::replies_to<stop_request>::with<done>,
  // Remove a snapshot.
  caf::replies_to<remove_request>::with<done>,
  // Pages of what there is.
  caf::replies_to<nodes_request>::with<node_list>,
  caf::replies_to<sandboxes_request>::with<sandbox_list>,
  caf::replies_to<snapshots_request>::with<snapshot_list>,
  // What has happened since; waits for it.
  caf::replies_to<events_request>::with<event_list>>;

/// What nodes tell the COORDINATOR.
using membership_api = caf::typed_actor<
  // Join. The handle is how the coordinator reaches the node.
  caf::replies_to<node_hello, node_actor>::with<node_welcome>,
  // All that the node holds after a hello; later what changed.
  caf::replies_to<inventory_page>::with<done>,
  // A sign of life with the node's load.
  caf::replies_to<node_heartbeat>::with<heartbeat_ack>,
  // What happened there.
  caf::replies_to<node_events>::with<done>,
  // Leave on purpose.
  caf::replies_to<node_goodbye>::with<done>>;

/// The COORDINATOR.
using coordinator_actor =
  client_api::extend_with<upkeep_api>::extend_with<membership_api>;

/// Asks a CONNECTOR for the COORDINATOR, local to a process.
struct connect_request {
  milliseconds timeout{2000};

  static constexpr schema::about about{"connect_request",
                                       "Find the coordinator."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("timeout_ms", &connect_request::timeout,
                    "How long to try."),
    };
  }
};

/// The CONNECTOR: dials the COORDINATOR, once per request, and answers with
/// a fresh handle. Errors: node_down, deadline_exceeded, not_permitted.
using connector_actor =
  caf::typed_actor<caf::replies_to<connect_request>::with<coordinator_actor>>;

} // namespace forkfleet

// Local to a process: these never cross the wire, and their numbers stay
// clear of those that do.
CAF_BEGIN_TYPE_ID_BLOCK(forkfleet_local, first_custom_type_id + 200)
  CAF_ADD_TYPE_ID(forkfleet_local, (forkfleet::coordinator_actor))
  CAF_ADD_TYPE_ID(forkfleet_local, (forkfleet::connect_request))
CAF_END_TYPE_ID_BLOCK(forkfleet_local)
