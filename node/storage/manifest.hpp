// SPDX-License-Identifier: Apache-2.0
// What a snapshot says of itself: manifest.json, by which any host can check
// what it holds. Written once, when it is sealed. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "actors/limits_protocol.hpp"
#include "actors/sandbox_protocol.hpp"
#include "node/storage/hash.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// The version of the format that this program writes: its root hash covers
/// all that makes a snapshot, its contract too. Older ones are read: 1, in
/// which every snapshot was flat, 2, 3 with disks, 4 with limits. Their root
/// hash covers no contract.
inline constexpr uint64_t manifest_version = 5;
inline constexpr uint64_t manifest_version_min = 1;
inline constexpr uint64_t manifest_version_diffs = 2;
inline constexpr uint64_t manifest_version_disks = 3;
inline constexpr uint64_t manifest_version_limits = 4;

/// The longest manifest that is read: that of 1 TiB of memory.
inline constexpr std::size_t manifest_bytes_max = 32u << 20;

/// The files of a snapshot's directory.
inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* memory_file = "memory.bin";
inline constexpr const char* diff_name = "memory.diff";
inline constexpr const char* vmstate_file = "vmstate";

/// What the hashes of a manifest are of.
enum class sealed_form : uint8_t { flat, diff };

constexpr auto enum_table(sealed_form) {
  using enum sealed_form;
  return std::to_array<schema::enum_entry<sealed_form>>({
    {flat, "flat", "memory.bin, all of the memory"},
    {diff, "diff", "memory.diff, what differs from the base"},
  });
}

/// One layer of a disk: `<disk>-<index>.qcow2`.
struct sealed_layer {
  uint64_t bytes = 0;
  std::string hash = {};

  friend bool operator==(const sealed_layer&, const sealed_layer&) = default;
  static constexpr schema::about about{"sealed_layer", "One layer of a disk."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("bytes", &sealed_layer::bytes, "The size of its file.", required),
      field("hash", &sealed_layer::hash, "SHA-256 of its file.", required),
    };
  }
};

/// One writable disk.
struct sealed_disk {
  std::string name = {};
  uint64_t bytes = 0;
  std::vector<sealed_layer> layers = {};

  friend bool operator==(const sealed_disk&, const sealed_disk&) = default;
  static constexpr schema::about about{"sealed_disk",
                                       "One writable disk of a snapshot."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("name", &sealed_disk::name, "Such as disk0.", required),
      field("bytes", &sealed_disk::bytes, "What the guest sees.", required),
      field("layers", &sealed_disk::layers,
            "Its qcow2 layers over the base, the lowest first.", required),
    };
  }
};

struct snapshot_manifest {
  uint64_t format_version = manifest_version;
  std::string root_hash = {};
  snapshot_tag tag = {};
  snapshot_tag parent = {};
  std::string parent_hash = {};
  operation_id operation = {};
  sandbox_id source = {};
  host_name host = {};
  branch_mode mode = branch_mode::live;
  std::string method = {};
  microseconds created_at{0};
  uint64_t memory_bytes = 0;
  uint64_t vmstate_bytes = 0;
  sealed_form form = sealed_form::flat;
  snapshot_tag base = {};
  std::string base_hash = {};
  uint64_t data_bytes = 0;
  uint64_t runs = 0;
  std::string runs_hash = {};
  uint64_t extent_bytes = hash_extent_bytes;
  std::string vmstate_hash = {};
  std::vector<std::string> extents = {};
  run_contract contract = {};
  std::vector<sealed_disk> disks = {};
  sandbox_limits limits = {};
  snapshot_origin origin = snapshot_origin::unknown;
  uint64_t sequence = 0;
  std::string signed_by = {};
  std::string signature = {};
  std::string manifest_hash = {};

  friend bool operator==(const snapshot_manifest&,
                         const snapshot_manifest&) = default;
  static constexpr schema::about about{"snapshot_manifest",
                                       "What a snapshot says of itself."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    using m = snapshot_manifest;
    return std::tuple{
      field("format_version", &m::format_version,
            "Of this file; 5. Older ones: 4 with limits, else 3 with disks, "
            "else 2.",
            required),
      field("root_hash", &m::root_hash,
            "The snapshot's id: SHA-256 over sizes and hashes, and from "
            "version 5 on over source, operation, mode, contract and limits.",
            required),
      field("tag", &m::tag, "Its name in the fleet.", required),
      field("parent", &m::parent,
            "The snapshot that the source was restored from."),
      field("parent_hash", &m::parent_hash,
            "The parent's root hash; empty where it was not known."),
      field("operation", &m::operation, "The branch that made it.", required),
      field("source", &m::source, "The sandbox that it was taken of.",
            required),
      field("host", &m::host, "Where it was taken."),
      field("mode", &m::mode, "What was captured."),
      field("method", &m::method, "How the driver did it."),
      field("created_at_us", &m::created_at, "When it was sealed, Unix time.",
            required),
      field("memory_bytes", &m::memory_bytes, "The guest's memory.", required),
      field("vmstate_bytes", &m::vmstate_bytes, "The size of vmstate.",
            required),
      field("form", &m::form, "What was sealed."),
      field("base", &m::base, "For a diff: the snapshot that it lies over."),
      field("base_hash", &m::base_hash, "The base's root hash."),
      field("data_bytes", &m::data_bytes, "The packed pages of a diff."),
      field("runs", &m::runs, "How many runs a diff has."),
      field("runs_hash", &m::runs_hash, "SHA-256 of a diff's runs."),
      field("extent_bytes", &m::extent_bytes,
            "How much of the data one hash covers; the last may cover less.",
            required),
      field("vmstate_hash", &m::vmstate_hash, "SHA-256 of vmstate.", required),
      field("extents", &m::extents,
            "SHA-256 of each extent of memory.bin, or of a diff's data.",
            required),
      field("contract", &m::contract, "What it needs to run again.", required),
      field("disks", &m::disks, "Its writable disks; from version 3 on."),
      field("limits", &m::limits, "Its source's limits; from version 4 on."),
      field("origin", &m::origin,
            "How it came to this store; from version 5 on."),
      field("sequence", &m::sequence,
            "Its place in the order in which this store got its snapshots."),
      field("signed_by", &m::signed_by,
            "The public key, Ed25519 in hex, that vouches for the root hash."),
      field("signature", &m::signature, "Its signature, in hex."),
      field("manifest_hash", &m::manifest_hash,
            "SHA-256 of this text with nothing here; empty in version 1."),
    };
  }
};

/// The oldest version that can say what the manifest says of disks and limits.
uint64_t least_version_of(const snapshot_manifest& x);

/// The manifest as the text of its file, with its hash.
expected<std::string> manifest_text(snapshot_manifest x);

/// The manifest of a text that stands in the file `path`. unsupported for
/// another version; snapshot_corrupt when it is no manifest, or does not
/// agree with itself: names, sizes, number of extents, root hash, its text.
expected<snapshot_manifest> manifest_from_text(std::string_view text,
                                               const std::string& path);

/// Hashes in hex, decoded. snapshot_corrupt when one is no hash.
expected<std::vector<sha256>> from_hex(const std::vector<std::string>& texts);

/// Hashes in hex.
std::vector<std::string> to_hex(const std::vector<sha256>& hashes);

/// The root hash of what the manifest says, in hex, by the rules of its
/// version:
///   content   = the hash of node/storage/hash.hpp, with disks by with_disks
///   version 5 = SHA-256 of: the text "forkfleet root 5\n", the content's
///               hash in hex and "\n", then as JSON without blanks an object
///               of source, operation, mode, contract and limits, in this
///               order
expected<std::string> root_hash_of(const snapshot_manifest& x);

/// At most how much the manifest of so much memory takes on the disk.
uint64_t manifest_slack_bytes(uint64_t memory_bytes);

} // namespace forkfleet
