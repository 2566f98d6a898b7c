// SPDX-License-Identifier: Apache-2.0
// Which snapshots a store has and which needs which: every diff names its
// base by tag and root hash, and a chain ends at a flat image. Pure. Knows no
// CAF.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// A snapshot as another names it; empty: none.
struct snapshot_ref {
  snapshot_tag tag = {};
  std::string root_hash = {};

  friend bool operator==(const snapshot_ref&, const snapshot_ref&) = default;
};

/// One sealed snapshot.
struct table_entry {
  /// Without `base` and `depth`, which the table tells.
  snapshot_info info = {};
  snapshot_ref base = {};     // of a diff
  std::string runs_hash = {}; // of a diff
  /// All its memory lies in one file of its own.
  bool is_flat = true;
};

/// The snapshots of one store. Not thread-safe.
class snapshot_table {
public:
  void add(table_entry entry);
  void erase(const snapshot_tag& tag) { entries_.erase(tag); }

  /// From now on the snapshot needs its base no more.
  void set_flat(const snapshot_tag& tag, uint64_t stored_bytes);

  std::size_t size() const { return entries_.size(); }
  const table_entry* find(const snapshot_tag& tag) const;

  /// The snapshot of this root hash that a VM's changes may count from: one
  /// that was sealed here, or `parent`, which the VM was started from. What
  /// came out of an archive is no base but of its own children. Nothing when
  /// there is none.
  const table_entry* find_base(const std::string& root_hash,
                               const snapshot_tag& parent) const;

  /// More than any snapshot's place in the order of this store.
  uint64_t next_sequence() const;

  /// The tags from `tag` down to the first that is flat. unknown_snapshot;
  /// snapshot_corrupt when a base is missing, is another, or is part of a
  /// ring.
  expected<std::vector<snapshot_tag>> chain_of(const snapshot_tag& tag) const;

  /// The snapshots that cannot be read without this one, by one step.
  std::vector<snapshot_tag> needing(const snapshot_tag& tag) const;

  /// What is told of one, with base and depth.
  snapshot_info describe(const table_entry& entry) const;

  /// All, in order of their tags.
  std::vector<snapshot_info> list() const;

  /// The memory of the largest guest.
  uint64_t memory_bytes_max() const;

  /// Takes out what has no whole chain; tells why for each.
  std::vector<failure> drop_broken();

private:
  std::map<snapshot_tag, table_entry> entries_;
};

/// "a, b and 3 more".
std::string join_tags(const std::vector<snapshot_tag>& tags);

} // namespace forkfleet
