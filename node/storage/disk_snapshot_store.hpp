// SPDX-License-Identifier: Apache-2.0
// The snapshots of one node on its disk:
//   staging/<operation>/{memory.bin,vmstate,manifest.json}  in the making
//   snapshots/<tag>/{memory.bin,vmstate,manifest.json}      sealed
// One rename leads from the first to the second. Knows no CAF.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/snapshot_store.hpp"
#include "node/storage/data_directory.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// A snapshot_store in a data directory. Directories have mode 0700, files
/// 0600.
class disk_snapshot_store final : public snapshot_store {
public:
  /// The most snapshots that one host keeps, and the most in the making.
  static constexpr std::size_t snapshots_max = 10000;
  static constexpr std::size_t stagings_max = 256;

  /// Reads the manifests of all sealed snapshots. A directory without a
  /// valid one is not listed and stands in `problems`.
  static expected<std::shared_ptr<disk_snapshot_store>>
  open_in(data_directory_ptr data, host_name host);

  tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) override;
  expected<snapshot_info> seal(const seal_request& request,
                               staging_area& files) override;
  void discard(const operation_id& operation) noexcept override;
  std::vector<snapshot_info> list() override;
  expected<snapshot_files> open(const snapshot_tag& tag) override;
  expected<memory_image_ptr> image(const snapshot_tag& tag) override;
  snapshot_info find_root(const std::string& root_hash) override;
  bool can_clone() override { return false; }
  status flatten(const snapshot_tag& tag, const stop_asked& stop) override;
  expected<verify_result> verify(const snapshot_tag& tag,
                                 const stop_asked& stop) override;
  expected<archive_result> export_to(const snapshot_tag& tag,
                                     const std::string& path,
                                     const stop_asked& stop) override;
  expected<archive_result> import_from(const std::string& path,
                                       const snapshot_tag& tag,
                                       const stop_asked& stop) override;
  status settle(deadline_point) override { return {}; }
  uint64_t unwritten_bytes() override { return 0; }
  /// Also removes what lies under this tag and is not listed because it is
  /// damaged. Gone from sight at once, from the disk when it returns.
  status remove(const snapshot_tag& tag) override;
  uint64_t free_bytes() override;
  std::string file_system() override;

  /// Removes what an earlier life of the node left in staging: branches
  /// that were never sealed, snapshots that were being removed. Returns the
  /// names; what could not be removed is left for the next start and stands
  /// in `problems`. Never touches a staging of this life.
  std::vector<std::string> recover();

  /// What was found wrong on the disk and left alone, for the log.
  std::vector<std::string> problems();

private:
  /// A tag that is in the making.
  struct claim {
    snapshot_tag tag = {};
    uint64_t memory_bytes = 0;
    /// What it may still write where nothing could be reserved; else 0.
    uint64_t promised_bytes = 0;
  };

  disk_snapshot_store(data_directory_ptr data, host_name host);

  status load_index();
  status load_one(const std::string& name);
  expected<snapshot_manifest> load_manifest(const snapshot_tag& tag) const;
  snapshot_info describe(const snapshot_manifest& manifest) const;

  tl::expected<void, staging_failure>
  take_claim(const staging_request& request);
  status check_names(const staging_request& request) const;
  uint64_t promised_bytes() const;
  expected<snapshot_manifest> begin_manifest(const seal_request& request);
  status publish(const operation_id& operation, const snapshot_tag& tag);
  expected<std::string> hide(const snapshot_tag& tag);

  std::string staging_of(const operation_id& operation) const;
  std::string directory_of(const snapshot_tag& tag) const;
  bool knows(const snapshot_tag& tag);

  const data_directory_ptr data_;
  const host_name host_;
  const std::string file_system_;

  // Never held while bytes are hashed or synced.
  std::mutex mutex_;
  // A tag is in at most one of the two tables.
  std::map<operation_id, claim> claims_;
  std::map<snapshot_tag, snapshot_info> index_;
  std::vector<std::string> problems_;
  uint64_t removals_ = 0;
};

} // namespace forkfleet
