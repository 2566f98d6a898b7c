// SPDX-License-Identifier: Apache-2.0
// What came of what: sandboxes, the snapshots of each, the children of each
// snapshot, and so on. Pure: made of the fleet's two lists. Knows no CAF.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet::shell {

/// One sandbox or snapshot of a tree.
struct lineage_entry {
  std::string name = {};
  bool is_snapshot = false;
  // One of the two is set, unless it is gone and only what came of it is
  // there.
  std::optional<sandbox_info> sandbox = {};
  std::optional<snapshot_info> snapshot = {};
  microseconds at{0}; // Unix time of its start, or of the first of its line
  std::optional<std::size_t> above = {};
  std::vector<std::size_t> below = {}; // by time

  bool is_gone() const { return !sandbox && !snapshot; }
};

/// All of a fleet, or a part of it. Numbers are places in `entries`.
struct lineage_tree {
  std::vector<lineage_entry> entries = {};
  std::vector<std::size_t> roots = {}; // by time
};

/// Each sandbox stands below the snapshot that it was restored from, each
/// snapshot below its sandbox. A name that was used again is another sandbox
/// when it has another parent. Names that go in a circle, as when a tag was
/// used again, are cut at the oldest.
lineage_tree grow_tree(const std::vector<sandbox_info>& sandboxes,
                       const std::vector<snapshot_info>& snapshots);

/// What has this name: what is there before what is gone, a sandbox before a
/// snapshot.
std::optional<std::size_t> find_in(const lineage_tree& tree,
                                   const std::string& name);

/// Why a snapshot cannot be removed.
struct snapshot_need {
  std::string name = {};
  std::string kind = {};
  std::string why = {};

  friend bool operator==(const snapshot_need&, const snapshot_need&) = default;
};

/// All that needs the snapshot: diffs that count from it, and children that
/// map its memory. Nothing when it is not there.
std::optional<std::vector<snapshot_need>> needs_of(const lineage_tree& tree,
                                                   const snapshot_tag& tag);

/// An entry in the order of the tree, and what is drawn before its name.
struct lineage_line {
  std::size_t entry = 0;
  std::size_t depth = 0;
  std::string rails = {};
};

/// All below `roots`, each entry after the one above it.
std::vector<lineage_line> lines_of(const lineage_tree& tree,
                                   const std::vector<std::size_t>& roots,
                                   bool utf8);

} // namespace forkfleet::shell
