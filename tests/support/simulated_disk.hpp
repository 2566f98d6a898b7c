// SPDX-License-Identifier: Apache-2.0
// What lies on the disk of a simulated host. It outlives the node, so that a
// node that is killed finds what it had made durable, and what it had staged;
// a power failure takes what was staged.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/operation_journal.hpp"
#include "node/snapshot_store.hpp"
#include "tests/support/simulated_memory.hpp"

namespace forkfleet::test {

/// What goes wrong at a place of the disk's code.
enum class disk_trouble : uint8_t {
  none,
  fail,
  fill, // no space is left
  crash_before,
  crash_after
};

/// The files of one snapshot, sealed or in the making.
struct disk_files {
  snapshot_tag tag = {};
  file_ptr memory = {};
  file_ptr vmstate = {};
  memory_form form = memory_form::flat;
  uint64_t bytes = 0;  // of the guest's memory
  uint64_t stored = 0; // on this disk
  /// For a diff: what it is relative to, and its pages in `memory`.
  snapshot_tag base = {};
  std::string base_hash = {};
  std::map<uint64_t, page_place> changed = {};
};

struct sealed_snapshot {
  snapshot_info info = {};
  run_contract contract = {};
  disk_files files = {};
};

/// The disk. Whatever breaks a promise of the store or the journal is noted
/// in `violations`.
struct simulated_disk {
  host_name host = {};
  uint64_t capacity_bytes = 64ull << 20;
  bool can_clone = false;
  std::map<snapshot_tag, sealed_snapshot> sealed = {};
  std::map<operation_id, disk_files> staged = {};
  std::map<operation_id, journal_entry> journal = {};
  std::vector<operation_id> journal_order = {};
  std::map<operation_id, int> pauses_begun = {};
  std::set<std::string> roots = {}; // of all that were ever sealed here
  std::vector<std::string> violations = {};

  uint64_t used_bytes() const;
  /// Forgets all that was not sealed.
  void lose_power();
  /// Where the memory lies, down the chain; the reason when it is broken.
  expected<page_places> places_of(const disk_files& files) const;
  /// Whether memory and device state are of one instant; the reason
  /// otherwise.
  status check_whole(const disk_files& files) const;
  /// The flat image at the end of a chain that is whole.
  file_ptr flat_of(const disk_files& files) const;
  /// Diffs down to it.
  uint64_t depth_of(const disk_files& files) const;
};

using simulated_disk_ptr = std::shared_ptr<simulated_disk>;

/// How one life of a node uses the disk: asked at each named place what goes
/// wrong there. `crash` must not return. `is_over` tells that the life has
/// ended: what is left of its code must not touch the disk.
struct disk_access {
  std::function<disk_trouble(std::string_view place)> trouble = {};
  std::function<void()> crash = {};
  std::function<bool()> is_over = {};
  std::function<microseconds()> wall = {};
  /// Whether the source of an ended branch was left in order.
  std::function<void(const branch_report&)> on_close = {};
};

snapshot_store_ptr open_store(simulated_disk_ptr disk, disk_access access);
operation_journal_ptr open_journal(simulated_disk_ptr disk, disk_access access);

} // namespace forkfleet::test
