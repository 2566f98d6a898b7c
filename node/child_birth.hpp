// SPDX-License-Identifier: Apache-2.0
// How a VM is made of a snapshot, on the thread of a HOST WORKER: its record,
// its VM, its guest's identity. The record stays unfinished.
#pragma once

#include "node/agent/identity.hpp"
#include "node/sandbox_birth.hpp"

namespace forkfleet::node_work {

/// The record of a VM that is made of a snapshot.
sandbox_record child_record(node_pointer self, const sandbox_id& id,
                            const operation_id& operation,
                            const snapshot_info& snapshot);

/// Opens the snapshot and starts the VM. After an error nothing is left.
host_answer start_child(const node_services& services,
                        const sandbox_record& record, int leash_pid,
                        deadline_point until, const caf::actor_clock& clock);

/// Has the guest of a VM take its identity. It may wait for the guest all the
/// time until `until`: for a worker that nobody else needs. Touches nothing
/// but the guest; the answer has the identity, or why there is none.
host_answer ask_guest(const sandbox_record& child, const vmm_ptr& vm,
                      const identity_plan& plan, const wall_clock& wall,
                      deadline_point until);

/// Ends the VM of a guest that took no identity: the answer has what became
/// of the identity, and the VM where that could not be ended.
host_answer end_nameless(const node_services& services,
                         const sandbox_record& child, const vmm_ptr& vm,
                         const host_answer& asked);

/// Ends a VM and forgets it; false when it could not be ended.
bool end_child(const node_services& services, const sandbox_record& child,
               vmm& vm);

} // namespace forkfleet::node_work
