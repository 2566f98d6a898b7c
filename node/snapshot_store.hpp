// SPDX-License-Identifier: Apache-2.0
// The seam to the disk: a snapshot is built in staging/<operation>, synced,
// and becomes visible by one rename to snapshots/<tag>. Visible means whole.
// Knows no CAF.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/labels.hpp"
#include "actors/snapshot_protocol.hpp"
#include "node/memory_image.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// How a snapshot's memory lies on the disk.
enum class memory_form : uint8_t {
  flat,  // memory.bin, all of it
  diff,  // memory.diff, what differs from the base
  clone, // memory.bin, cloned from the base's, with the changes written in
};

/// What a branch asks of the store before it pauses the guest.
struct staging_request {
  operation_id operation = {};
  snapshot_tag tag = {};
  uint64_t memory_bytes = 0;  // the exact size of the guest's memory
  uint64_t vmstate_bytes = 0; // a generous guess; the file may end shorter
  reserve_policy policy = reserve_policy::best_effort;
  memory_form form = memory_form::flat;
  /// For diff and clone: a snapshot of this store and the root hash that it
  /// must have.
  snapshot_tag base = {};
  std::string base_hash = {};
  /// For diff and clone: about how much will be written. Reserved.
  uint64_t expected_bytes = 0;
};

/// What the reservation came to, also when it failed.
struct reservation {
  reserve_outcome outcome = reserve_outcome::not_tried;
  uint64_t reserved_bytes = 0;
  uint64_t missing_bytes = 0;
  std::string file_system = {};
};

/// The open files of a branch in the making. Closes them; the directory
/// stays until seal or discard.
class staging_area {
public:
  virtual ~staging_area() = default;
  /// Where the guest's memory goes.
  virtual memory_sink& memory() = 0;
  virtual int vmstate_fd() const = 0;
  /// Grows when the sink is told to expect more.
  virtual const reservation& reserved() const = 0;
};

using staging_ptr = std::unique_ptr<staging_area>;

/// A reservation that failed, with its numbers. `error.code` is disk_full,
/// quota_exceeded, unsupported or io_failed; nothing is left on the disk.
struct staging_failure {
  failure error = {};
  reservation reserved = {};
};

/// What the manifest says beside sizes, hashes and times.
struct seal_request {
  operation_id operation = {};
  snapshot_tag tag = {};
  sandbox_id source = {};
  snapshot_tag parent = {};
  branch_mode mode = branch_mode::live;
  std::string method = {};
  uint64_t memory_bytes = 0;
  uint64_t vmstate_bytes = 0;
  run_contract contract = {};
  /// Of the source; a child inherits them.
  sandbox_limits limits = {};
  /// Kept by links where the file system has them, else by copies.
  std::vector<frozen_disk> disks = {};
  /// Kept beside the manifest.
  annotation words = {};
};

/// Where the files of a sealed snapshot lie, for a driver that starts a
/// child of it.
struct snapshot_files {
  snapshot_info info = {};
  run_contract contract = {};
  memory_layout memory = {};
  std::string vmstate_path = {};
  std::vector<frozen_disk> disks = {};
  /// Whether its contract is ours: it was sealed here, or the fleet's key
  /// vouches for it. Else it is a stranger's word.
  bool is_vouched = false;
  /// The files stay where they are as long as a copy of this lives: until
  /// the child has opened them, and no longer.
  std::shared_ptr<const void> hold = {};
};

/// What a check of a whole snapshot came to.
struct verify_result {
  uint64_t bytes = 0;  // read
  uint64_t hashes = 0; // compared
};

/// What holds a snapshot on the disk, and what a removal would free.
struct snapshot_usage {
  snapshot_info info = {};
  uint64_t unique_bytes = 0;
  std::vector<snapshot_disk> disks = {};
  bool is_read = false;
  std::string signature = {};
  std::vector<std::string> contract = {};
};

/// How two memories differ, and two snapshots' disks.
struct image_difference {
  uint64_t memory_bytes = 0;
  uint64_t pages = 0;
  uint64_t runs = 0;
  uint64_t shared_bytes = 0;          // in one place of one file, and not read
  uint64_t read_bytes = 0;            // of each
  std::vector<memory_run> table = {}; // the first `compared_runs_max`
  uint64_t disk_bytes = 0;            // written since both had the same disk
};

/// What is believed of one archive beside what the fleet's key vouches for.
struct archive_belief {
  bool accept_unsigned = false;
  std::string key = {}; // public, in hex; empty: none
};

/// What an archive says of itself.
struct archive_contents {
  snapshot_tag tag = {};
  std::string signature = {};             // who vouches for it, in words
  std::vector<std::string> contract = {}; // what a child of it would run
};

/// What an archive holds and takes.
struct archive_result {
  snapshot_info info = {};
  std::string path = {};
  uint64_t bytes = 0; // of the archive file
};

/// Who does long work asks it between two steps: true ends the work.
using stop_asked = std::function<bool()>;

/// The snapshots of one node. Thread-safe: several workers use it at once.
class snapshot_store {
public:
  virtual ~snapshot_store() = default;

  /// Makes the staging directory and reserves its files with fallocate(2).
  /// snapshot_exists when the tag is sealed or in the making. For diff and
  /// clone: unknown_snapshot or invalid_request when the base is not there or
  /// is another one; the base cannot be removed while this is in the making.
  virtual tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) = 0;

  /// Hashes, syncs and publishes what is staged under `request.operation`.
  virtual expected<snapshot_info> seal(const seal_request& request,
                                       staging_area& files) = 0;

  /// Removes what is staged; also correct when nothing is.
  virtual void discard(const operation_id& operation) noexcept = 0;

  /// All sealed snapshots, in order of their tags.
  virtual std::vector<snapshot_info> list() = 0;

  /// Whether something lies under this tag that is not listed, because it
  /// could not be read, or because that could not be found out: then nobody
  /// knows whether it was ever sealed.
  virtual bool is_unread(const snapshot_tag& tag) {
    static_cast<void>(tag);
    return false;
  }

  /// Whether labels and note of a snapshot that is listed could not be read:
  /// it may have any, also one that keeps it.
  virtual bool has_unread_words(const snapshot_tag& tag) {
    static_cast<void>(tag);
    return false;
  }

  /// The files of one, for a restore. unknown_snapshot; snapshot_corrupt
  /// when its manifest and files do not agree, or its chain is broken.
  virtual expected<snapshot_files> open(const snapshot_tag& tag) = 0;

  /// The memory of one, to be read.
  virtual expected<memory_image_ptr> image(const snapshot_tag& tag) = 0;

  /// The snapshot with this root hash that the changes of a VM may count from:
  /// one that was sealed here, or `parent`, which the VM was started from. An
  /// empty tag when there is none.
  virtual snapshot_info find_base(const std::string& root_hash,
                                  const snapshot_tag& parent) = 0;

  /// Whether files can be cloned here, so that a clone costs no copy.
  virtual bool can_clone() = 0;

  /// Gives a diff a flat image of its own, so that it needs its base no
  /// more; correct when it has one. Works in the background of everything
  /// else, and stands still while a guest does; waits where somebody flattens
  /// it already. interrupted when `stop` says so; then nothing has changed.
  virtual status flatten(const snapshot_tag& tag, const stop_asked& stop) = 0;

  /// Reads all of a snapshot and compares every hash. snapshot_corrupt names
  /// the first part that differs.
  virtual expected<verify_result> verify(const snapshot_tag& tag,
                                         const stop_asked& stop) = 0;

  /// Changes labels and note of one, durably, and nothing else of it.
  /// unknown_snapshot; invalid_request when they would be too many.
  virtual expected<snapshot_info> annotate(const snapshot_tag& tag,
                                           const label_change& change) = 0;

  /// What a snapshot takes that no other shares; unknown_snapshot.
  virtual expected<snapshot_usage> usage(const snapshot_tag& tag) = 0;

  /// Compares the memory of two, page by page; stands still while a guest
  /// does. invalid_request when they are of different sizes.
  virtual expected<image_difference> compare(const snapshot_tag& tag,
                                             const snapshot_tag& other,
                                             const stop_asked& stop) = 0;

  /// Writes one file that holds all of a snapshot, whatever its chain looks
  /// like; `path` must be free. Errors leave no file.
  virtual expected<archive_result> export_to(const snapshot_tag& tag,
                                             const std::string& path,
                                             const stop_asked& stop) = 0;

  /// What such a file says of itself; nothing of it is kept.
  virtual expected<archive_contents> look_into(const std::string& path) = 0;

  /// Makes a snapshot of such a file, checked before it is seen; under
  /// `tag`, or under its own when that is empty. not_permitted when no key
  /// vouches for it that is believed here or by `belief`.
  virtual expected<archive_result>
  import_from(const std::string& path, const snapshot_tag& tag,
              const stop_asked& stop, const archive_belief& belief = {}) = 0;

  /// Waits until the flat images that are not yet on the disk are below
  /// their bound, so that a pause does not meet them. Before a pause, never
  /// in one. deadline_exceeded names how much is unwritten.
  virtual status settle(deadline_point until) = 0;

  /// Bytes of snapshots that were written and are not yet on the disk.
  virtual uint64_t unwritten_bytes() = 0;

  /// Removes one; unknown_snapshot. invalid_request names the diffs that
  /// need it as their base, and the remedy; node_busy while it is in use, and
  /// when its labels or note are not those of `revision` any more: who found
  /// by them that it is due must look again.
  virtual status remove(const snapshot_tag& tag,
                        std::optional<uint64_t> revision = {}) = 0;

  /// Free bytes for new snapshots, 0 when it cannot be told.
  virtual uint64_t free_bytes() = 0;

  /// The file system's name, such as ext4 or tmpfs.
  virtual std::string file_system() = 0;
};

using snapshot_store_ptr = std::shared_ptr<snapshot_store>;

} // namespace forkfleet
