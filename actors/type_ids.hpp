// SPDX-License-Identifier: Apache-2.0
// Every type that crosses the wire. Append only: numbers never move.
#pragma once

#include <vector>

#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>

#include "actors/doctor_protocol.hpp"
#include "actors/exec_protocol.hpp"
#include "actors/fsck_protocol.hpp"
#include "actors/membership_protocol.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"
#include "actors/wire.hpp"

namespace forkfleet {

/// What is asked of things that are there: by clients of the COORDINATOR,
/// and by the COORDINATOR of the NODE that has them.
using upkeep_api = caf::typed_actor<
  // End a branch before its time. Answered at once; its report tells how it
  // ended.
  caf::replies_to<cancel_request>::with<done>,
  // Make a snapshot's memory one flat file.
  caf::replies_to<flatten_request>::with<done>,
  // Compare every hash of a snapshot.
  caf::replies_to<verify_request>::with<verify_report>,
  // Write a snapshot to an archive on its host, and make one of it.
  caf::replies_to<export_request>::with<archive_report>,
  caf::replies_to<import_request>::with<archive_report>,
  // Change a snapshot's labels and note; tell all that is known of one.
  caf::replies_to<annotate_request>::with<inspect_report>,
  caf::replies_to<inspect_request>::with<inspect_report>,
  // Compare the memory of two snapshots.
  caf::replies_to<compare_request>::with<compare_report>,
  // Programs and files in a guest, through its agent.
  caf::replies_to<exec_request>::with<exec_report>,
  caf::replies_to<file_request>::with<file_report>,
  // What a sandbox' console printed.
  caf::replies_to<console_request>::with<console_report>,
  // Tell what nobody owns on a host, and remove it.
  caf::replies_to<fsck_request>::with<fsck_report>,
  // Put a sandbox back to a snapshot; give a child its source's name.
  caf::replies_to<rollback_request>::with<restore_report>,
  caf::replies_to<promote_request>::with<restore_report>,
  // Tell what a host can do, what it cannot, and how to mend that.
  caf::replies_to<doctor_request>::with<doctor_report>>;

/// What a NODE answers to the COORDINATOR.
using node_actor = caf::typed_actor<
  // Branch a sandbox of this host. Answered when the branch has ended.
  caf::replies_to<branch_request>::with<branch_report>,
  // What became of an operation, also from before a restart.
  caf::replies_to<operation_query>::with<operation_status>,
  // Start a child of a snapshot that lies here.
  caf::replies_to<restore_request>::with<restore_report>,
  // End a sandbox.
  caf::replies_to<stop_request>::with<done>,
  // Remove a snapshot.
  caf::replies_to<remove_request>::with<done>>::extend_with<upkeep_api>;

} // namespace forkfleet

CAF_BEGIN_TYPE_ID_BLOCK(forkfleet, first_custom_type_id)
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::branch_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::branch_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::operation_query))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::operation_status))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::restore_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::restore_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::stop_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::remove_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::done))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::nodes_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_list))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::sandboxes_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::sandbox_list))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::snapshots_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::snapshot_list))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::events_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::event_list))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_hello))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_welcome))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::inventory_page))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_heartbeat))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::heartbeat_ack))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_events))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_goodbye))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::node_actor))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::cancel_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::flatten_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::verify_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::verify_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::export_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::import_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::archive_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::annotate_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::inspect_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::inspect_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::compare_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::compare_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::exec_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::exec_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::file_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::file_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::console_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::console_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::fsck_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::fsck_report))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::rollback_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::promote_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::doctor_request))
  CAF_ADD_TYPE_ID(forkfleet, (forkfleet::doctor_report))
CAF_END_TYPE_ID_BLOCK(forkfleet)
