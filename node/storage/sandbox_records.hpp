// SPDX-License-Identifier: Apache-2.0
// What a node must know of a sandbox to find its VM again after its own
// death: sandboxes/<id>/sandbox.json, written before the VM is made. Knows
// no CAF.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"
#include "config/fleet_file.hpp"
#include "node/storage/data_directory.hpp"

namespace forkfleet {

/// One sandbox of this node.
struct sandbox_record {
  sandbox_id id = {};
  sandbox_origin origin = sandbox_origin::declared;
  config::sandbox_section spec = {}; // of a child: as it was restored
  snapshot_tag parent = {};
  operation_id operation = {};
  bool is_unfinished = false;
  microseconds created_at{0}; // Unix time
  uint64_t branches = 0;      // sealed of it
  identity_receipt identity = {};
  sandbox_limits limits = {};
  std::string cgroup = {};      // its path, from before it is made
  std::string unenforced = {};  // which limits, and why
  sandbox_network network = {}; // from before it is made
  sandbox_id place = {};        // empty: the id
  uint64_t life = 0;
  operation_id switched_by = {};
  std::string asked = {};        // digest of the restore
  std::string switch_asked = {}; // digest of the switch

  friend bool operator==(const sandbox_record&,
                         const sandbox_record&) = default;
  static constexpr schema::about about{
    "sandbox_record", "One sandbox, as its node remembers it."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("id", &sandbox_record::id, "Its name in the fleet.", required),
      field("origin", &sandbox_record::origin, "How it came to be.", required),
      field("spec", &sandbox_record::spec, "What it was started from.",
            required),
      field("parent", &sandbox_record::parent,
            "The snapshot that it was restored from."),
      field("operation", &sandbox_record::operation,
            "Of a child: the restore that made it."),
      field("is_unfinished", &sandbox_record::is_unfinished,
            "Its VM was not seen to run yet, or its guest has no identity of "
            "its own."),
      field("created_at_us", &sandbox_record::created_at,
            "When it was made, in Unix time."),
      field("branches", &sandbox_record::branches, "Branches sealed of it."),
      field("identity", &sandbox_record::identity,
            "What its guest acknowledged."),
      field("limits", &sandbox_record::limits,
            "What its VM may take of the host."),
      field("cgroup", &sandbox_record::cgroup,
            "Where its cgroup is, or is going to be; empty: it has none."),
      field("unenforced", &sandbox_record::unenforced,
            "Which limits are not enforced, and why."),
      field("network", &sandbox_record::network,
            "How it is connected, or is going to be."),
      field("place", &sandbox_record::place,
            "Its directory's name; empty: its id."),
      field("life", &sandbox_record::life,
            "Of two finished records under one name, the higher has it."),
      field("switched_by", &sandbox_record::switched_by,
            "The rollback or promotion that gave it its name."),
      field("asked", &sandbox_record::asked,
            "The digest of the request that made it."),
      field("switch_asked", &sandbox_record::switch_asked,
            "The digest of the request that gave it its name."),
    };
  }
};

/// A sandbox of which only its place is known.
struct unread_record {
  sandbox_id place = {};
  std::string why = {};
};

/// The name of its directory, which no other sandbox has.
inline const sandbox_id& place_of(const sandbox_record& x) {
  return x.place.empty() ? x.id : x.place;
}

/// The records of one node. Thread-safe for different sandboxes; the calls
/// for one sandbox must not overlap.
class sandbox_records {
public:
  /// The most sandboxes that one node remembers.
  static constexpr std::size_t records_max = 4096;

  explicit sandbox_records(data_directory_ptr data) : data_(std::move(data)) {}

  /// The directory of a sandbox' run files, by its place.
  std::string directory(const sandbox_id& place) const;

  /// Makes the directory, mode 0700, and writes the record durably; one
  /// that exists is replaced. invalid_request for an id that is no name.
  status save(const sandbox_record& record);

  /// All records, in order of their places. A directory that certainly has no
  /// record never had a VM and is removed. A record that cannot be read is left
  /// alone, and stands in `unread`: its VM may run. Both stand in `problems`.
  /// io_failed when nobody knows which there are.
  expected<std::vector<sandbox_record>>
  load_all(std::vector<std::string>& problems,
           std::vector<unread_record>* unread = nullptr);

  /// The one record of a place.
  expected<sandbox_record> load(const sandbox_id& place) const;

  /// Removes the record first, then the directory with the run files; also
  /// correct when there is none. Only when the VM is gone.
  status remove(const sandbox_id& place);

private:
  const data_directory_ptr data_;
};

} // namespace forkfleet
