// SPDX-License-Identifier: Apache-2.0
// The handlers of the COORDINATOR's behavior, by whom they serve: clients
// that ask, nodes that tell, followers of events, and the clock.
#pragma once

#include "coordinator/coordinator.hpp"

namespace forkfleet::coordinator_work {

/// Branches and restores; answered when they have ended.
caf::result<branch_report> on_branch(coordinator_pointer self,
                                     branch_request request);
caf::result<restore_report> on_restore(coordinator_pointer self,
                                       restore_request request);
/// What became of an operation; asks its node when nobody here knows.
caf::result<operation_status> on_query(coordinator_pointer self,
                                       const operation_query& query);
caf::result<done> on_stop(coordinator_pointer self, stop_request request);
caf::result<done> on_remove(coordinator_pointer self, remove_request request);

/// Ends a branch before its time: passed to its node. One that has ended
/// stays as it ended, and the answer says how.
caf::result<done> on_cancel(coordinator_pointer self,
                            const cancel_request& request);
/// Upkeep of snapshots: passed to the host that has them.
caf::result<done> on_flatten(coordinator_pointer self, flatten_request request);
caf::result<verify_report> on_verify(coordinator_pointer self,
                                     verify_request request);
caf::result<archive_report> on_export(coordinator_pointer self,
                                      export_request request);
/// Passed to the host that the client names.
caf::result<archive_report> on_import(coordinator_pointer self,
                                      import_request request);

/// What is said and known of a snapshot, by its host.
caf::result<inspect_report> on_annotate(coordinator_pointer self,
                                        const annotate_request& request);
caf::result<inspect_report> on_inspect(coordinator_pointer self,
                                       const inspect_request& request);
caf::result<compare_report> on_compare(coordinator_pointer self,
                                       compare_request request);
/// Passed to the host of the sandbox.
caf::result<restore_report> on_rollback(coordinator_pointer self,
                                        rollback_request request);
caf::result<restore_report> on_promote(coordinator_pointer self,
                                       promote_request request);

/// Passed to the host that the client names, too.
caf::result<fsck_report> on_fsck(coordinator_pointer self,
                                 const fsck_request& request);
caf::result<doctor_report> on_doctor(coordinator_pointer self,
                                     const doctor_request& request);

/// Access to a guest: passed to the host that has the sandbox.
caf::result<exec_report> on_exec(coordinator_pointer self,
                                 exec_request request);
caf::result<file_report> on_file(coordinator_pointer self,
                                 file_request request);
caf::result<console_report> on_console(coordinator_pointer self,
                                       console_request request);

/// Takes what a node told of an operation, and answers who waits for it.
void on_told(coordinator_pointer self, const host_name& host,
             const operation_status& told);
/// Logs an operation that has ended. Its snapshot or child can be asked for
/// from then on; the node's inventory completes what the report does not tell.
void note_end(coordinator_pointer self, const branch_report& x);
void note_end(coordinator_pointer self, const restore_report& x);
/// Asks nodes for operations whose end no request waits for.
void probe(coordinator_pointer self);
/// Answers who waits for an operation, if it has ended.
void settle(coordinator_pointer self, const operation_id& operation);
/// Answers who waits for an operation with an error.
void drop_waiters(coordinator_pointer self, const operation_id& operation,
                  const failure& why);
/// Answers whoever has waited past the deadline.
void expire_waiters(coordinator_pointer self);
/// The host cannot answer: ends what waits for it with node_down.
void fail_operations(coordinator_pointer self, const host_name& host);
void fail_errands(coordinator_pointer self, const host_name& host);

/// Membership.
caf::result<node_welcome> on_hello(coordinator_pointer self,
                                   const node_hello& hello,
                                   const node_actor& handle);
caf::result<done> on_inventory(coordinator_pointer self,
                               const inventory_page& page);
heartbeat_ack on_heartbeat(coordinator_pointer self,
                           const node_heartbeat& beat);
caf::result<done> on_node_events(coordinator_pointer self,
                                 const node_events& told);
caf::result<done> on_goodbye(coordinator_pointer self,
                             const node_goodbye& goodbye);
void on_down(coordinator_pointer self, const caf::actor_addr& source);
/// Ends nodes that have been silent for too long.
void sweep_nodes(coordinator_pointer self);

/// Who sent the message that is being handled.
access_subject sender_of(coordinator_pointer self);
/// Gives a line to the audit log; of one subject's many refusals only some.
void audit(coordinator_pointer self, audit_record line);
/// Tells how many refusals were not written.
void audit_suppressed(coordinator_pointer self);

/// Lists and events.
node_list on_nodes(coordinator_pointer self, const nodes_request& request);
sandbox_list on_sandboxes(coordinator_pointer self,
                          const sandboxes_request& request);
snapshot_list on_snapshots(coordinator_pointer self,
                           const snapshots_request& request);
caf::result<event_list> on_events(coordinator_pointer self,
                                  const events_request& request);
/// Numbers, keeps and passes on something that the coordinator saw itself.
void publish(coordinator_pointer self, fleet_event event);
/// Answers followers for whom there is something, or whose time is up.
void serve_followers(coordinator_pointer self);

/// Unix time by the actor clock.
microseconds unix_now(coordinator_pointer self);
/// Hosts that may hold what nobody here knows: those that have not told
/// their inventory, for as long as it is worth waiting for them.
std::vector<host_name> untold(coordinator_pointer self);
/// The failure for a host whose node is not there.
failure host_down(const host_name& host);

} // namespace forkfleet::coordinator_work
