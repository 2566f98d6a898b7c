// SPDX-License-Identifier: Apache-2.0
// The seam to the disk: a snapshot is built in staging/<operation>, synced,
// and becomes visible by one rename to snapshots/<tag>. Visible means whole.
// Knows no CAF.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What a branch asks of the store before it pauses the guest.
struct staging_request {
  operation_id operation = {};
  snapshot_tag tag = {};
  uint64_t memory_bytes = 0;  // the exact size that memory.bin will have
  uint64_t vmstate_bytes = 0; // a generous guess; the file may end shorter
  reserve_policy policy = reserve_policy::best_effort;
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
  virtual int memory_fd() const = 0;
  virtual int vmstate_fd() const = 0;
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
};

/// Where the files of a sealed snapshot lie, for a driver that starts a
/// child of it.
struct snapshot_files {
  snapshot_info info = {};
  run_contract contract = {};
  std::string memory_path = {};
  std::string vmstate_path = {};
};

/// The snapshots of one node. Thread-safe: several workers use it at once.
class snapshot_store {
public:
  virtual ~snapshot_store() = default;

  /// Makes the staging directory and reserves its files with fallocate(2).
  /// snapshot_exists when the tag is sealed or in the making.
  virtual tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) = 0;

  /// Hashes, syncs and publishes what is staged under `request.operation`.
  virtual expected<snapshot_info> seal(const seal_request& request,
                                       staging_area& files) = 0;

  /// Removes what is staged; also correct when nothing is.
  virtual void discard(const operation_id& operation) noexcept = 0;

  /// All sealed snapshots, in order of their tags.
  virtual std::vector<snapshot_info> list() = 0;

  /// The files of one, for a restore. unknown_snapshot; snapshot_corrupt
  /// when its manifest and files do not agree.
  virtual expected<snapshot_files> open(const snapshot_tag& tag) = 0;

  /// Removes one; unknown_snapshot.
  virtual status remove(const snapshot_tag& tag) = 0;

  /// Free bytes for new snapshots, 0 when it cannot be told.
  virtual uint64_t free_bytes() = 0;

  /// The file system's name, such as ext4 or tmpfs.
  virtual std::string file_system() = 0;
};

using snapshot_store_ptr = std::shared_ptr<snapshot_store>;

} // namespace forkfleet
