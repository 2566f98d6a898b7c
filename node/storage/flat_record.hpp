// SPDX-License-Identifier: Apache-2.0
// flat.json: what vouches for the flat image that a diff was given later, or
// came with in an archive of an older version. Written last, so its presence
// says that memory.bin beside it is whole. The snapshot's identity stays in
// manifest.json. Knows no CAF.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/storage/manifest.hpp"

namespace forkfleet {

inline constexpr const char* flat_record_file = "flat.json";

struct flat_record {
  uint64_t format_version = 1;
  std::string root_hash = {};
  uint64_t memory_bytes = 0;
  uint64_t extent_bytes = hash_extent_bytes;
  std::vector<std::string> extents = {};
  std::string record_hash = {};

  friend bool operator==(const flat_record&, const flat_record&) = default;
  static constexpr schema::about about{
    "flat_record", "What vouches for the flat image of a diff."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    using r = flat_record;
    return std::tuple{
      field("format_version", &r::format_version, "Of this file; 1.", required),
      field("root_hash", &r::root_hash, "The snapshot that it belongs to.",
            required),
      field("memory_bytes", &r::memory_bytes, "The size of memory.bin.",
            required),
      field("extent_bytes", &r::extent_bytes,
            "How much of memory.bin one hash covers; the last may cover less.",
            required),
      field("extents", &r::extents, "SHA-256 of each extent of memory.bin.",
            required),
      field("record_hash", &r::record_hash,
            "SHA-256 of this text with nothing here.", required),
    };
  }
};

/// The record as the text of its file, with its hash.
expected<std::string> flat_record_text(flat_record x);

/// The record of a text that stands in the file `path`. snapshot_corrupt
/// when it is none, or not the one of this snapshot.
expected<flat_record> flat_record_from_text(std::string_view text,
                                            const std::string& path,
                                            const snapshot_manifest& of);

} // namespace forkfleet
