// SPDX-License-Identifier: Apache-2.0
// Pure: what a branch captures and how its memory lies on the disk, from what
// was asked and what VM, disk and chain allow. An explicit mode is taken or
// refused, never changed.
#pragma once

#include <string>
#include <vector>

#include "node/snapshot_store.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// All that the choice depends on.
struct mode_question {
  branch_mode asked = branch_mode::automatic;
  branch_mode policy = branch_mode::automatic; // counts when `asked` is auto
  vmm_capabilities vm = {};
  /// The snapshot that a diff would be relative to; no tag: there is none,
  /// and `base_obstacle` says why.
  snapshot_info base = {};
  std::string base_obstacle = {};
  bool can_clone = false;    // files, on this disk
  uint64_t chain_depth = 16; // diffs above which a chain is flattened
};

/// One way to take the branch.
struct mode_choice {
  branch_mode mode = branch_mode::full;
  capture_scope scope = capture_scope::all;
  memory_form form = memory_form::flat;
  /// Copies memory while the guest runs: its pause depends on how fast the
  /// guest writes.
  bool is_tracked = false;
  /// The base's chain is too long: flatten the base before the pause.
  bool flattens_base = false;
  std::string reason = {}; // why not a better one; empty: it is the best

  bool uses_base() const { return scope == capture_scope::changed; }
};

/// A chain is never longer than this many times its depth.
inline constexpr uint64_t chain_depth_factor = 2;

/// The ways that there are, best first; never empty. For `auto`: diff, full by
/// tracking, live, full. Error: unsupported, with the obstacle.
expected<std::vector<mode_choice>> list_modes(const mode_question& question);

/// The snapshot that a diff by comparison is best relative to: the newest of
/// the source, else its parent. Only those with as much memory count. An
/// empty tag when there is none.
snapshot_info pick_base(const std::vector<snapshot_info>& sealed,
                        const sandbox_id& source, const snapshot_tag& parent,
                        uint64_t memory_bytes);

} // namespace forkfleet
