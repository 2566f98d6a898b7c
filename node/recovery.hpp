// SPDX-License-Identifier: Apache-2.0
// What a node does before it joins, after its own death: finds its VMs
// again, resumes any that its journal left standing still, and gives every
// branch that was in flight its one ending. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/driver.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/operation_journal.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/sandbox_records.hpp"

namespace forkfleet {

/// A sandbox that was found again after a restart. `vmm` is empty when its
/// VM is gone.
struct adopted_sandbox {
  sandbox_record record = {};
  sandbox_info info = {};
  vmm_ptr vmm = {};
};

/// What was found and done.
struct recovery_result {
  std::vector<adopted_sandbox> adopted = {};
  std::vector<journal_entry> ended = {}; // every one has its report
  std::vector<std::string> notes = {};   // for the log
};

/// What recovery works on.
struct recovery_plan {
  host_name host = {};
  const driver_table& drivers;
  snapshot_store& store;
  operation_journal& journal;
  sandbox_records& records;
  int leash_pid = 0;
  sandbox_networks* networks = nullptr;         // null: no sandbox has one
  uint64_t console_bytes = console_bytes_usual; // kept of what a VM prints
};

/// Never harms a healthy VM. Declared and attached sandboxes whose VM is gone
/// are forgotten: the fleet file brings them back. A branch that was sealed
/// before the node died is a success; any other is `interrupted`. A snapshot
/// whose branch was told to have failed is removed.
recovery_result recover(const recovery_plan& plan);

} // namespace forkfleet
