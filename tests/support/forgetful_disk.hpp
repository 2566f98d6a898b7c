// SPDX-License-Identifier: Apache-2.0
// A disk that promises no more than the manual does: what was not synced may
// be there or not after the power failed, page by page and name by name, in
// any order. Records the calls of a life and makes directories of what could
// be left of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/disk_calls.hpp"

namespace forkfleet::test {

/// One change, in terms of files and directories, which inode numbers tell.
struct disk_change {
  enum class kind : uint8_t { write, size, link, unlink, rename, sync };
  kind what = kind::sync;
  uint64_t inode = 0;  // what is written, linked, unlinked, renamed, synced
  uint64_t parent = 0; // of the name; of rename: of the old one
  std::string name = {};
  uint64_t to_parent = 0;
  std::string to_name = {};
  bool is_directory = false;
  uint64_t offset = 0;
  uint64_t size = 0; // of kind size
  std::vector<uint8_t> bytes = {};
};

/// Records what happens under a directory of tmpfs, which gives no inode
/// number twice. For one thread.
class disk_recorder final : public disk::watch {
public:
  explicit disk_recorder(const std::string& root);

  int before(const disk::call& x) override;
  void after(const disk::call& x, int64_t result) override;

  uint64_t root() const { return root_; }
  const std::vector<disk_change>& changes() const { return changes_; }

private:
  void note_size(const disk::call& x);

  uint64_t root_ = 0;
  uint64_t old_inode_ = 0; // what had the call's name before it
  std::vector<disk_change> changes_ = {};
};

/// What survives that was not synced.
enum class survivors : uint8_t { none, all, some };

/// Makes in the empty directory `path` what could be left of the first
/// `count` changes; `seed` chooses among `some`.
void make_remains(const disk_recorder& record, std::size_t count,
                  survivors which, unsigned seed, const std::string& path);

} // namespace forkfleet::test
