// SPDX-License-Identifier: Apache-2.0
// The hashes of a snapshot's content. The formula, for whoever checks it
// with other tools:
//   extent hash = SHA-256 of 4 MiB of memory.bin (the last: of what is left)
//   root hash   = SHA-256 of: the text "forkfleet snapshot 1\n",
//                 u64 memory_bytes, u64 extent_bytes, each extent hash,
//                 u64 vmstate_bytes, vmstate hash
// For a diff, whose extents are those of the packed data of memory.diff:
//   root hash   = SHA-256 of: the text "forkfleet diff root 1\n",
//                 u64 memory_bytes, the base's root hash, runs-hash,
//                 u64 extent_bytes, each extent hash,
//                 u64 vmstate_bytes, vmstate hash
// Numbers are big-endian, hashes are their 32 bytes. Knows no CAF.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// How much of memory.bin one hash covers.
inline constexpr uint64_t hash_extent_bytes = 4u << 20;

/// One SHA-256.
using sha256 = std::array<uint8_t, 32>;

/// 64 lower-case hex digits.
std::string to_hex(const sha256& x);

/// The hash of 64 lower-case hex digits; nothing for any other text.
std::optional<sha256> from_hex(std::string_view text);

/// SHA-256 of `bytes`.
expected<sha256> hash_bytes(std::span<const uint8_t> bytes);

/// SHA-256 of a text, in hex.
expected<std::string> hex_of_text(std::string_view text);

/// How many extents so much memory has.
uint64_t extent_count(uint64_t memory_bytes);

/// What to hash, and what `path` to name in errors.
struct hash_job {
  int fd = -1;
  std::string path = {};
  uint64_t bytes = 0;
  /// Where in the file they begin.
  uint64_t offset = 0;
  /// Starts to write out each extent before it is hashed, so that the disk
  /// and the processor work at the same time and a sync finds little left.
  bool start_writeback = false;
  /// How many threads hash extents; 0 takes half of the processors, at most
  /// four: the guests need the others.
  unsigned threads = 0;
  /// Which extents to hash, where not all; the hashes of others are zeros.
  const std::vector<bool>* only = nullptr;
  /// Asked before each extent, or MiB of a whole file: true ends the work with
  /// interrupted. Several threads ask it. May be empty.
  std::function<bool()> stop = {};
};

/// io_failed when the file ends before what is to be hashed does.
status check_end(const hash_job& job);

/// Reads `bytes` from `start` on, which `check_end` has seen to be in the file;
/// what it has no data for becomes zeros.
status read_without_holes(const hash_job& job, std::span<uint8_t> bytes,
                          uint64_t start);

/// The hashes of all extents of a file, in order. Holes are not read. Reads
/// through the page cache and leaves it there: children map these pages.
expected<std::vector<sha256>> hash_extents(const hash_job& job);

/// The hash of a whole file, such as vmstate. Holes are not read.
expected<sha256> hash_file(const hash_job& job);

/// What the root hash is made of.
struct root_parts {
  uint64_t memory_bytes = 0;
  uint64_t extent_bytes = hash_extent_bytes;
  std::span<const sha256> extents = {};
  uint64_t vmstate_bytes = 0;
  sha256 vmstate = {};
};

/// The root hash, by the formula above.
expected<sha256> root_hash(const root_parts& parts);

/// What the root hash of a diff is made of.
struct diff_root_parts {
  uint64_t memory_bytes = 0;
  sha256 base = {};
  sha256 runs = {};
  uint64_t extent_bytes = hash_extent_bytes;
  std::span<const sha256> extents = {};
  uint64_t vmstate_bytes = 0;
  sha256 vmstate = {};
};

/// The root hash of a diff, by the formula above.
expected<sha256> diff_root_hash(const diff_root_parts& parts);

} // namespace forkfleet
