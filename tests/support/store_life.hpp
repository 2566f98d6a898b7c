// SPDX-License-Identifier: Apache-2.0
// The life of a node's disk: branches that form a chain, flattening,
// removals, an archive out and in; some with a writable disk. What a snapshot's
// memory must hold is known from its number alone. For tests that end such a
// life anywhere.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file_journal.hpp"
#include "node/storage/sandbox_records.hpp"
#include "tests/support/child_death.hpp"

namespace forkfleet::test {

/// The memory of the guest of a life.
inline constexpr uint64_t life_memory_bytes = 64 * guest_page_bytes;

/// What the guest's memory holds at its branch of this number, from 1 on.
std::vector<uint8_t> memory_of(unsigned number);

/// Whether the guest's one disk gets a layer at its branch of this number.
bool has_layer(unsigned number);

/// What that layer holds, and its name among the sandbox' files.
std::string layer_of(unsigned number);
std::string layer_name_of(unsigned number);

/// The number in a snapshot's tag, which ends in it; 0: none.
unsigned number_of(const snapshot_tag& tag);

/// The node's part of a life. Whatever it has promised it tells at once, in
/// lines such as "sealed 3 ROOT", "removing 3", "removed 3".
class store_life {
public:
  /// `path` of the data directory. Archives lie beside it.
  explicit store_life(
    std::string path, teller tell = [](const auto&) {});

  /// Starts as a node does, with all of its recovery.
  status open();
  /// Ends, in order.
  void close();

  /// All of the verbs below, from an empty disk on. Goes on after a failure,
  /// as a node does.
  void run();

  /// Writes down the sandbox: none is branched without its record.
  status record();

  /// Branches the guest at this number, greater than all before; a diff is
  /// relative to the newest snapshot.
  status branch(unsigned number, memory_form form);
  status flatten(unsigned number);
  status remove(unsigned number);
  /// Writes the snapshot to an archive and makes another one of that.
  status copy(unsigned number);

  disk_snapshot_store& store() { return *store_; }
  file_journal& journal() { return *journal_; }
  const std::string& path() const { return path_; }
  std::string archive_of(unsigned number) const;

private:
  status fill(staging_area& area, unsigned number, unsigned base) const;
  expected<snapshot_info> seal(const branch_request& request, unsigned number,
                               memory_form form);
  expected<std::vector<frozen_disk>> freeze_disks(unsigned number);
  snapshot_info newest();
  void note(const std::string& verb, const status& done);

  const std::string path_;
  const teller tell_;
  std::shared_ptr<disk_snapshot_store> store_ = {};
  std::shared_ptr<file_journal> journal_ = {};
  std::unique_ptr<sandbox_records> records_ = {};
  std::vector<std::string> layers_ = {}; // of the guest's one disk
};

} // namespace forkfleet::test
