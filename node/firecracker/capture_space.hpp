// SPDX-License-Identifier: Apache-2.0
// Where Firecracker writes a snapshot while its guest stands: on tmpfs, where
// its syncs cost nothing, or else on the disk; in files that have their space
// already, but for a diff's on tmpfs. One VM's own.
//
// `changed` collects the pages of all diffs since the last committed snapshot:
// each diff merges into it, so that one that got lost on its way to the disk is
// part of the next.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"
#include "node/firecracker/api.hpp"

namespace forkfleet::firecracker {

/// What the name of a space on tmpfs begins with.
inline constexpr const char* fast_prefix = "forkfleet-";

/// The VM's directory that a space on tmpfs belongs to; empty when it does
/// not say.
std::string owner_of_capture(const std::string& directory);

/// Where a space may be.
struct space_settings {
  std::string fast_directory = "/dev/shm"; // used when it is on tmpfs
  std::string vm_directory = {};           // otherwise
  uint64_t memory_bytes = 0;
};

class capture_space {
public:
  explicit capture_space(space_settings settings);

  /// Makes sure of the files of a snapshot of that kind, with room for all
  /// of the memory, and says where they are. `keeps`: what `changed` has
  /// stays. disk_full with the missing bytes; not_permitted when the place
  /// belongs to somebody else.
  expected<snapshot_paths> prepare(snapshot_kind kind, bool keeps);

  /// Whether it is on tmpfs; known after prepare.
  bool is_fast() const { return is_fast_; }

  /// The name of its file system; known after prepare.
  std::string file_system() const;

  /// Opens a prepared file to read it.
  expected<unique_fd> open(const std::string& path) const;

  /// Drops what was collected, and gives memory back.
  void forget_changes() noexcept;
  void forget_all_pages() noexcept;

  /// Goes on with what an earlier life of the node left, and returns the
  /// root hash that `changed` counts from; empty when it left none.
  std::string take_up();
  void keep_mark(const std::string& root_hash) noexcept;
  void drop_mark() noexcept;

  /// Removes all of it.
  void remove() noexcept;

private:
  status choose_directory();
  status note_owner() const;
  status make_file(const std::string& path, bool keeps, bool is_diff);
  std::string path_of(const char* name) const {
    return directory_ + "/" + name;
  }

  space_settings settings_;
  std::string fast_path_;
  std::string directory_;
  bool is_fast_ = false;
};

} // namespace forkfleet::firecracker
