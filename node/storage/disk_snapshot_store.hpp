// SPDX-License-Identifier: Apache-2.0
// The snapshots of one node on its disk:
//   staging/<operation>/  in the making
//   snapshots/<tag>/      sealed; see node/storage/sealed_directory.hpp
// One rename leads from the first to the second. Knows no CAF.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/signing_key.hpp"
#include "node/pause_gate.hpp"
#include "node/snapshot_store.hpp"
#include "node/storage/data_directory.hpp"
#include "node/storage/layered_image.hpp"
#include "node/storage/manifest.hpp"
#include "node/storage/snapshot_holds.hpp"
#include "node/storage/snapshot_table.hpp"
#include "node/storage/staging.hpp"

namespace forkfleet {

class archive_reader;
struct image_survey;

/// How a store works.
struct store_options {
  /// Closed while a guest stands still; background writers wait for it.
  pause_gate_ptr gate = {};
  /// How much may be unwritten when `settle` returns; 0: twice the memory of
  /// the largest guest.
  uint64_t unwritten_bytes_max = 0;
  /// Vouches for what is sealed and exported here, and for what is imported.
  /// Null: nothing is signed, and no archive believed by itself.
  signing_key_ptr key = {};
};

/// A snapshot_store in a data directory. Directories have mode 0700, files
/// 0600.
class disk_snapshot_store final : public snapshot_store {
public:
  /// The most snapshots that one host keeps, and the most in the making.
  static constexpr std::size_t snapshots_max = 10000;
  static constexpr std::size_t stagings_max = 256;

  /// Reads the manifests of all sealed snapshots. A directory without a
  /// valid one, or with a broken chain, is not listed and stands in
  /// `problems`.
  static expected<std::shared_ptr<disk_snapshot_store>>
  open_in(data_directory_ptr data, host_name host, store_options options = {});

  tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) override;
  expected<snapshot_info> seal(const seal_request& request,
                               staging_area& files) override;
  void discard(const operation_id& operation) noexcept override;
  std::vector<snapshot_info> list() override;
  expected<snapshot_files> open(const snapshot_tag& tag) override;
  expected<memory_image_ptr> image(const snapshot_tag& tag) override;
  bool is_unread(const snapshot_tag& tag) override;
  bool has_unread_words(const snapshot_tag& tag) override;
  snapshot_info find_base(const std::string& root_hash,
                          const snapshot_tag& parent) override;
  bool can_clone() override { return can_clone_; }
  status flatten(const snapshot_tag& tag, const stop_asked& stop) override;
  expected<verify_result> verify(const snapshot_tag& tag,
                                 const stop_asked& stop) override;
  expected<snapshot_info> annotate(const snapshot_tag& tag,
                                   const label_change& change) override;
  expected<snapshot_usage> usage(const snapshot_tag& tag) override;
  expected<image_difference> compare(const snapshot_tag& tag,
                                     const snapshot_tag& other,
                                     const stop_asked& stop) override;
  expected<archive_result> export_to(const snapshot_tag& tag,
                                     const std::string& path,
                                     const stop_asked& stop) override;
  expected<archive_contents> look_into(const std::string& path) override;
  expected<archive_result>
  import_from(const std::string& path, const snapshot_tag& tag,
              const stop_asked& stop,
              const archive_belief& belief = {}) override;
  status settle(deadline_point until) override;
  uint64_t unwritten_bytes() override { return debt_->bytes(); }
  /// Also removes what lies under this tag and is not listed because it is
  /// damaged. Gone from sight at once, from the disk when it returns.
  /// node_busy while it is in use.
  status remove(const snapshot_tag& tag,
                std::optional<uint64_t> revision = {}) override;
  uint64_t free_bytes() override;
  std::string file_system() override;

  /// Removes what an earlier life of the node left: in staging branches that
  /// were never sealed and snapshots that were being removed; beside sealed
  /// ones what a flatten had not ended. Returns the names; what could not be
  /// removed is left for the next start and stands in `problems`. Never
  /// touches a staging of this life.
  std::vector<std::string> recover();

  /// What is being made, removed or changed now: names in staging, and tags.
  struct work_in_hand {
    std::set<std::string> staging = {};
    std::set<std::string> making = {};
    std::set<std::string> changing = {};
  };
  work_in_hand in_hand() const;

  /// What was found wrong on the disk and left alone, for the log.
  std::vector<std::string> problems();

private:
  /// A tag that is in the making.
  struct claim {
    snapshot_tag tag = {};
    uint64_t memory_bytes = 0;
    memory_form form = memory_form::flat;
    snapshot_ref base = {};
    /// What it may still write where nothing could be reserved; else 0.
    uint64_t promised_bytes = 0;
  };

  /// A chain that stays in place as long as this lives.
  struct held_chain {
    std::vector<table_entry> links = {}; // from the snapshot down to the flat
    snapshot_hold hold = {};
  };

  disk_snapshot_store(data_directory_ptr data, host_name host,
                      store_options options);

  status load_index();
  status load_one(const std::string& name);
  bool probe_clone() const;
  table_entry entry_of(const snapshot_manifest& manifest) const;
  void note_problem(const failure& found);

  tl::expected<void, staging_failure>
  take_claim(const staging_request& request);
  status check_request(const staging_request& request) const;
  status check_tag(const snapshot_tag& tag) const;
  status check_base(const staging_request& request) const;
  expected<clone_base> clone_base_of(const staging_request& request) const;
  uint64_t promised_bytes() const;
  expected<snapshot_manifest> begin_manifest(const seal_request& request);
  status publish(const operation_id& operation, const snapshot_tag& tag);
  expected<snapshot_info> make_visible(const operation_id& operation,
                                       const snapshot_manifest& manifest);

  status check_removable(const snapshot_tag& tag) const;
  status check_all_read(const snapshot_tag& but) const;
  bool claims_have(const snapshot_tag& tag) const;
  expected<std::string> hide(const snapshot_tag& tag,
                             std::optional<uint64_t> revision);

  std::string fleet_key() const;
  bool is_ours(const snapshot_manifest& manifest) const;
  expected<snapshot_manifest> to_archive(const snapshot_manifest& sealed,
                                         const image_survey& known) const;
  expected<uint64_t> write_archive(const held_chain& chain,
                                   const std::string& path,
                                   const stop_asked& stop);
  status check_belief(const snapshot_manifest& manifest,
                      const archive_belief& belief) const;
  expected<snapshot_manifest> import_staged(archive_reader& archive,
                                            snapshot_manifest manifest,
                                            disk_staging_area& area,
                                            const stop_asked& stop);
  expected<snapshot_info> import_as(archive_reader& archive,
                                    snapshot_manifest manifest,
                                    const snapshot_tag& tag,
                                    const stop_asked& stop);

  expected<held_chain> hold_chain(const snapshot_tag& tag);
  expected<std::shared_ptr<const layered_image>>
  open_layers(const held_chain& chain) const;
  status begin_flatten(const snapshot_tag& tag, const stop_asked& stop);
  status flatten_held(const held_chain& chain, const stop_asked& stop);
  void end_flatten(const snapshot_tag& tag);

  std::string staging_of(const operation_id& operation) const;
  std::string directory_of(const snapshot_tag& tag) const;

  const data_directory_ptr data_;
  const host_name host_;
  const store_options options_;
  const std::string file_system_;
  bool can_clone_ = false;
  const std::shared_ptr<write_debt> debt_ = std::make_shared<write_debt>();
  const std::shared_ptr<snapshot_holds> holds_ =
    std::make_shared<snapshot_holds>();

  layer_hashes layers_;

  // Taken before the other.
  std::mutex annotating_;
  // Never held while bytes are hashed or synced.
  mutable std::mutex mutex_;
  // A tag is in at most one of the two tables.
  std::map<operation_id, claim> claims_;
  snapshot_table table_;
  std::vector<std::string> problems_;
  std::set<snapshot_tag> unread_words_;
  std::set<snapshot_tag> flattening_;
  std::condition_variable flattened_; // one of them came to its end
  std::set<std::string> removing_;    // names in staging
  uint64_t removals_ = 0;
  uint64_t imports_ = 0;
  uint64_t sequence_ = 1;  // the next snapshot's
  uint64_t revisions_ = 0; // of snapshots, their labels and notes
};

} // namespace forkfleet
