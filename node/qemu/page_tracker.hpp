// SPDX-License-Identifier: Apache-2.0
// Knows which pages of a running guest changed since a snapshot: the kernel
// notes writes to armed pages, and a scan reads and arms again. What a scan
// took stays in the set until a snapshot that has it is sealed, so a failed
// branch loses nothing.
#pragma once

#include <string>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/qemu/page_map.hpp"
#include "node/qemu/page_set.hpp"
#include "node/qemu/process.hpp"

namespace forkfleet::qemu {

/// Whose memory is tracked.
struct tracked_memory {
  process_id process = {};
  uint64_t begin = 0; // its address in that process
  uint64_t bytes = 0;
  std::string directory = {}; // of the VM, for the marker
  /// The root hash of the snapshot whose memory a child maps; empty: fresh.
  std::string origin = {};
};

/// The marker's file: what a later life of the node may build on. It is there
/// only while no branch is under way.
inline constexpr const char* tracker_marker = "tracker.json";

/// The tracker of one VM. Errors of a scan lose the track: from then on
/// `since` is what a child came from, or empty until the next commit.
class page_tracker {
public:
  /// `uffd` is the process's own. Goes on where an earlier life of the node
  /// left its marker. Touches nothing in the process. unsupported says what
  /// is missing.
  static expected<page_tracker> open(tracked_memory memory, unique_fd uffd);

  /// The snapshot against which `changed` and the next scan are complete;
  /// empty: none.
  const std::string& since() const { return since_; }

  /// Pages that scans found since then.
  const page_set& changed() const { return changed_; }

  /// About how many bytes differ from that snapshot, also where nobody
  /// scanned yet. Arms nothing.
  uint64_t changed_bytes() const;

  /// A branch begins: from here until `commit` another life of the node
  /// could not know what changed.
  status begin();

  /// Finds what was written since the last scan, or all that the guest has of
  /// its own in the first one, and arms it again. Allocates nothing after the
  /// first one unless the guest wrote in very many places.
  status scan();

  /// What the last scan found.
  const std::vector<page_run>& found() const { return found_; }

  /// All that the last scan found is in a sealed snapshot.
  void commit(const std::string& root_hash) noexcept;

  /// Another method captured a snapshot meanwhile; what is known as changed
  /// is so against that one, too.
  void rebase(const std::string& root_hash) noexcept;

  /// Lets go of the memory: somebody else wants to protect it.
  void release() noexcept;

  const page_map& pages() const { return pages_; }
  const tracked_memory& memory() const { return memory_; }

private:
  page_tracker(tracked_memory memory, unique_fd uffd, page_map pages);

  status enroll();
  void read_marker();
  void write_marker() const noexcept;
  void lose() noexcept;

  tracked_memory memory_;
  unique_fd uffd_;
  page_map pages_;
  page_set changed_;
  std::vector<page_run> found_ = {};
  std::string since_ = {};
  bool is_registered_ = false;
  bool is_armed_ = false; // a first scan was made
};

} // namespace forkfleet::qemu
