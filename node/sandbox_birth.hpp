// SPDX-License-Identifier: Apache-2.0
// How a sandbox of a NODE comes to be, whether declared, attached, adopted
// or restored: first its record, then its VM, then its SANDBOX actor.
#pragma once

#include <memory>
#include <optional>

#include "node/node.hpp"

namespace forkfleet::node_work {

/// How long the start of one VM may take.
inline constexpr auto start_limit = std::chrono::seconds{60};

/// Gives the record's VM the name of a cgroup, where it has limits.
void name_cgroup(node_pointer self, sandbox_record& record);

/// Lists a new sandbox as starting, before its VM exists; it has a place, and
/// with limits the name of a cgroup, from here on.
managed_sandbox& enlist(node_pointer self, sandbox_record record);

/// Notes what became of a VM's limits and of its network.
void note_made(sandbox_record& record, sandbox_info& info,
               const host_answer& answer);

/// The part of the services that threads may use.
std::shared_ptr<node_services> shared_services(node_pointer self);

/// Makes the record, what the VM runs in, and then the VM, on the calling
/// thread. The answer has the VM and, as text, its directory. After an error
/// nothing is left, unless the answer says so: then its record stays, and it is
/// to be looked for.
host_answer start_vm(const node_services& services, sandbox_record record,
                     int leash_pid, std::optional<snapshot_files> snapshot,
                     deadline_point until);

/// What is known of a sandbox by its record alone.
sandbox_info info_of_record(node_pointer self, const sandbox_record& record);

/// Finds the VM of an earlier life again, on the calling thread. vmm_gone when
/// it has certainly ended; any other error says nothing about that. An empty
/// directory is looked up.
expected<vmm_ptr> find_vm(const node_services& services,
                          const sandbox_record& record,
                          const std::string& directory, int leash_pid,
                          deadline_point until);

/// Ends a VM that has no SANDBOX, if it is still there, on the calling
/// thread.
host_answer end_vm(const node_services& services, const sandbox_record& record,
                   const std::string& directory, int leash_pid,
                   deadline_point until);

/// Gives a listed sandbox' VM its SANDBOX.
void manage(node_pointer self, const sandbox_info& info, const vmm_ptr& vmm);

} // namespace forkfleet::node_work
