// SPDX-License-Identifier: Apache-2.0
// The ledger of a host: every process, directory and file of a node, matched
// with who owns it. Pure: it is given what is there and who owns what.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "actors/fsck_protocol.hpp"
#include "node/qemu/process.hpp"
#include "node/storage/file_identity.hpp"

namespace forkfleet {

/// Something that was seen on a host.
struct ledger_thing {
  ledger_kind kind = ledger_kind::file;
  std::string where = {};
  /// What names its owner: a sandbox' id, a tag, an operation.
  std::string name = {};
  /// Set when it vouches for itself: the node's own files and processes.
  std::string owner = {};
  /// What is wrong with what should own it.
  std::string damage = {};
  /// Whether there is a record, entry or manifest that vouches for it.
  bool has_record = false;
  bool is_foreign = false;
  /// A process that is not the one which its sandbox' record names.
  bool is_other_process = false;
  uint64_t bytes = 0;
  microseconds since{0}; // Unix time
  qemu::process_id process = {};
  /// Which file it was, so that no other is removed in its place.
  file_identity identity = {};

  friend bool operator==(const ledger_thing&, const ledger_thing&) = default;
};

/// Who owns what, as of before the things were looked at.
struct ledger_owners {
  /// Whether a node said so. Without one the records alone own.
  bool has_node = false;
  std::set<std::string> sandboxes = {}; // also those started or ended now
  std::set<std::string> staging = {};   // what is made or removed now
  std::set<std::string> snapshots = {}; // listed
  std::set<std::string> making = {};    // tags that are sealed now
  std::set<std::string> changing = {};  // tags that are flattened now
};

/// When the things were looked at, and what is too new to be judged.
struct ledger_times {
  microseconds now{0};
  microseconds young{0};
};

/// A thing and what the ledger says of it.
struct judged_thing {
  ledger_thing thing = {};
  ledger_item item = {};
};

using host_ledger = std::vector<judged_thing>;

/// The ledger, in the order of `things`; then the snapshots that are listed
/// and not there.
host_ledger make_ledger(const std::vector<ledger_thing>& things,
                        const ledger_owners& owners, const ledger_times& times);

/// The ledger as a report: counts of all, items of what was found, of what is
/// young and, if asked, of what is owned. Bounded.
fsck_report report_of(const host_ledger& ledger, bool all);

} // namespace forkfleet
