// SPDX-License-Identifier: Apache-2.0
// What a node does before it joins, after its own death: finds its VMs
// again, resumes any that its journal left standing still, and gives every
// branch that was in flight its one ending. Knows no CAF.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "node/driver.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/operation_journal.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/sandbox_records.hpp"

namespace forkfleet {

/// A sandbox that was found again after a restart. `vmm` is empty when its
/// VM is gone, and when it is stuck: then nobody knows whether it runs, and it
/// is to be looked for again.
struct adopted_sandbox {
  sandbox_record record = {};
  sandbox_info info = {};
  vmm_ptr vmm = {};
  /// A branch of the earlier life may have left its guest standing still.
  bool was_standing = false;
};

/// What was found and done.
struct recovery_result {
  std::vector<adopted_sandbox> adopted = {};
  std::vector<journal_entry> ended = {}; // every one has its report
  /// VMs that lost their name, or never were whole, and could not be ended.
  std::vector<sandbox_record> doomed = {};
  /// Sandboxes of which nothing but their place could be read.
  std::vector<unread_record> unread = {};
  std::vector<std::string> notes = {}; // for the log
  /// Why nothing is known; none when all the rest counts.
  failure outcome = {};
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
  std::size_t threads = 1; // VMs that are looked for at once
};

/// How long one look for a VM may take. One that is slower is looked for
/// again by the node.
inline constexpr auto adopt_limit = std::chrono::seconds{5};

/// Never harms a healthy VM, and removes nothing of a VM that is not certain
/// to have ended. Declared and attached sandboxes whose VM is gone
/// are forgotten: the fleet file brings them back. A branch that was sealed
/// before the node died is a success; any other is `interrupted`. A snapshot
/// whose branch was told to have failed is removed.
recovery_result recover(const recovery_plan& plan);

} // namespace forkfleet
