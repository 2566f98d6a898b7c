// SPDX-License-Identifier: Apache-2.0
// What a snapshot says of itself: manifest.json, by which any host can check
// what it holds. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "node/storage/hash.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// The version of the format that this program writes, and the only one
/// that it reads.
inline constexpr uint64_t manifest_version = 1;

/// The longest manifest that is read: that of 1 TiB of memory.
inline constexpr std::size_t manifest_bytes_max = 32u << 20;

/// The files of a snapshot's directory.
inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* memory_file = "memory.bin";
inline constexpr const char* vmstate_file = "vmstate";

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
  uint64_t extent_bytes = hash_extent_bytes;
  std::string vmstate_hash = {};
  std::vector<std::string> extents = {};
  run_contract contract = {};

  friend bool operator==(const snapshot_manifest&,
                         const snapshot_manifest&) = default;
  static constexpr schema::about about{"snapshot_manifest",
                                       "What a snapshot says of itself."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    using m = snapshot_manifest;
    return std::tuple{
      field("format_version", &m::format_version, "Of this file; 1.", required),
      field("root_hash", &m::root_hash,
            "The snapshot's id: SHA-256 over sizes and hashes.", required),
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
      field("memory_bytes", &m::memory_bytes, "The size of memory.bin.",
            required),
      field("vmstate_bytes", &m::vmstate_bytes, "The size of vmstate.",
            required),
      field("extent_bytes", &m::extent_bytes,
            "How much of memory.bin one hash covers; the last may cover less.",
            required),
      field("vmstate_hash", &m::vmstate_hash, "SHA-256 of vmstate.", required),
      field("extents", &m::extents, "SHA-256 of each extent of memory.bin.",
            required),
      field("contract", &m::contract, "What it needs to run again.", required),
    };
  }
};

/// The manifest as the text of its file.
std::string manifest_text(const snapshot_manifest& x);

/// The manifest of a text that stands in the file `path`. unsupported for
/// another version; snapshot_corrupt when it is no manifest, or does not
/// agree with itself: names, sizes, number of extents, root hash.
expected<snapshot_manifest> manifest_from_text(std::string_view text,
                                               const std::string& path);

/// The extents' hashes, decoded. snapshot_corrupt when one is no hash.
expected<std::vector<sha256>> extent_hashes(const snapshot_manifest& x);

/// The root hash of what the manifest says, in hex.
expected<std::string> root_hash_of(const snapshot_manifest& x);

/// At most how much the manifest of so much memory takes on the disk.
uint64_t manifest_slack_bytes(uint64_t memory_bytes);

} // namespace forkfleet
