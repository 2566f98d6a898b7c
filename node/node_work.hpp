// SPDX-License-Identifier: Apache-2.0
// What a NODE does when it is asked: branches, sandboxes, snapshots. The
// handlers of its behavior, in the order of a sandbox's life.
#pragma once

#include <set>
#include <string>

#include "node/node.hpp"
#include "node/retention.hpp"

namespace forkfleet::node_work {

/// As many requests may wait for the outcome of one operation.
inline constexpr std::size_t waiters_max = 64;

/// As much upkeep may wait for its turn.
inline constexpr std::size_t upkeep_queue_max = 64;

/// The tick that says: a queued branch may have waited long enough.
inline constexpr uint8_t queue_reminder = 254;

/// The tick that says: a flattening that failed is tried again.
inline constexpr uint8_t flatten_reminder = 253;

/// The tick that says: time to look what the retention says.
inline constexpr uint8_t retention_reminder = 252;

/// The tick that says: time to let go of guests that nobody asks.
inline constexpr uint8_t access_reminder = 251;

/// Workers for guests: so many are always there, so many may be hired. Of
/// these, guests that did not answer the last time get at most half.
inline constexpr std::size_t access_hands_min = 4;
inline constexpr std::size_t access_hands_max = 32;

/// The tick that says: VMs that did not answer are looked for again.
inline constexpr uint8_t lost_reminder = 250;

/// As many requests may wait for one guest.
inline constexpr std::size_t access_queue_max = 32;

/// As many deep chains may wait to be flattened; more are found later.
inline constexpr std::size_t flatten_queue_max = 256;

/// The HOST WORKER whose turn it is.
host_worker_actor next_hand(node_pointer self);

/// Takes over what ran before this life, and starts what is declared.
void bring_up(node_pointer self);

/// Has a VM looked for that may run, until that is known: longer and longer
/// apart, on workers of its own.
void watch_for(node_pointer self, lost_vm lost);
void look_for_lost(node_pointer self);
/// A sandbox that was found, or told, to have ended while nobody looked after
/// it: it is forgotten, told, or started anew, as its origin asks for.
void on_lost_ended(node_pointer self, const sandbox_id& id, const failure& why);
/// Starts a sandbox of the fleet file that is listed and waits.
void start_declared(node_pointer self, const sandbox_id& id);
void list_declared(node_pointer self, const config::sandbox_section& declared);
/// Removes what is kept of a sandbox whose VM has ended, and its name.
void forget(node_pointer self, const sandbox_id& id,
            std::function<void()> then);

/// Sandboxes. A change of state is an event as well.
void tell_state(node_pointer self, const sandbox_info& now);
void on_changed(node_pointer self, const sandbox_info& changed);
/// The SANDBOX that we monitored is gone.
void on_sandbox_down(node_pointer self, const caf::down_msg& down);
caf::result<restore_report> on_restore(node_pointer self,
                                       const restore_request& request);
caf::result<done> on_stop(node_pointer self, const stop_request& request);
/// Ends all sandboxes and calls `then`.
void stop_all(node_pointer self, std::function<void()> then);
/// Whether branches or starts are under way.
bool is_busy(node_pointer self);

/// Snapshots and branches.
caf::result<branch_report> on_branch(node_pointer self,
                                     const branch_request& request);
/// Ends a branch with its report, and answers all who wait for it.
void end_branch(node_pointer self, const branch_report& report);
/// Starts the queued branches whose turn it is.
void take_turns(node_pointer self);
/// Refuses the queued branches whose deadline has passed, or all of them.
void expire_queued(node_pointer self);
void dismiss_queued(node_pointer self);
/// What the store says now of snapshots that this node knows: one flat image
/// shortens every chain above it. Tells what is new.
void take_changes(node_pointer self, const std::vector<snapshot_info>& all);
/// Has a chain that is too deep flattened in the background: that of one
/// snapshot, or all.
void flatten_if_deep(node_pointer self, const snapshot_info& snapshot);
void flatten_deep(node_pointer self);
void retry_flatten(node_pointer self);
operation_status on_query(node_pointer self, const operation_query& query);
caf::result<done> on_remove(node_pointer self, const remove_request& request);

/// What the retention says of all snapshots that lie here, now.
retention_verdicts retention_now(node_pointer self);
/// Looks every now and then what is due, and removes it; when there are
/// rules.
void start_retention(node_pointer self);
void sweep(node_pointer self);

/// What is said and known of a snapshot.
caf::result<inspect_report> on_annotate(node_pointer self,
                                        const annotate_request& request);
caf::result<inspect_report> on_inspect(node_pointer self,
                                       const inspect_request& request);

/// Upkeep: done one after the other by HOST WORKERs of its own, a bounded
/// number at once, each until its deadline.
caf::result<done> on_flatten(node_pointer self, const flatten_request& request);
caf::result<verify_report> on_verify(node_pointer self,
                                     const verify_request& request);
caf::result<archive_report> on_export(node_pointer self,
                                      const export_request& request);
caf::result<archive_report> on_import(node_pointer self,
                                      const import_request& request);
caf::result<compare_report> on_compare(node_pointer self,
                                       const compare_request& request);
/// Access to guests: done by HOST WORKERs of its own, one request of a guest
/// at a time, each until its deadline.
caf::result<exec_report> on_exec(node_pointer self,
                                 const exec_request& request);
caf::result<file_report> on_file(node_pointer self,
                                 const file_request& request);
caf::result<console_report> on_console(node_pointer self,
                                       const console_request& request);
/// Lets go of guests that nobody asked for a while.
void leave_guests(node_pointer self);
/// Tells what nobody owns on this host, and removes it if that is asked.
caf::result<fsck_report> on_fsck(node_pointer self,
                                 const fsck_request& request);
caf::result<doctor_report> on_doctor(node_pointer self,
                                     const doctor_request& request);
/// A VM takes the place of another under a sandbox' name.
caf::result<restore_report> on_rollback(node_pointer self,
                                        const rollback_request& request);
caf::result<restore_report> on_promote(node_pointer self,
                                       const promote_request& request);
/// not_ready while that goes on.
status check_switch(const managed_sandbox& managed);
/// The directories of all VMs that are, or are being made or ended.
std::set<sandbox_id> places_in_use(node_pointer self);
/// What this NODE owns at this moment, also what it starts or ends.
ledger_owners owners_of(node_pointer self);
/// What is left of this sandbox is not yet nobody's.
void note_departed(node_pointer self, const sandbox_id& id);
/// Why nothing of this name may be begun at this moment: a repair removes what
/// is called so.
status check_repair(node_pointer self, const std::string& name);
/// Ends a branch before its time.
caf::result<done> on_cancel(node_pointer self, const cancel_request& request);
/// Asks all upkeep under way to end soon.
void stop_upkeep(node_pointer self);

/// Measures what the host can take; kept for the next heartbeat.
void refresh_load(node_pointer self);
/// Measures its memory first, where that is looked at, then calls `then`.
void after_memory_look(node_pointer self, std::function<void()> then);
/// Whether the host has the memory, and this node the file descriptors, for a
/// VM that is about to start. One that has its place among the sandboxes
/// already is not counted twice; the VM that a rollback replaces runs beside
/// the new one until the switch, and is counted.
status admit_vm(node_pointer self, const sandbox_record& record,
                bool is_rollback = false);
/// What the VM of a child may take.
sandbox_limits limits_of_child(node_pointer self,
                               const restore_request& request);
/// Counts what this node has, and tells it at once.
void count_load(node_pointer self);

} // namespace forkfleet::node_work
