// SPDX-License-Identifier: Apache-2.0
// The file memory.diff: the pages of a guest that differ from those of
// another snapshot, its base. Pure: from structs to bytes and back. As a
// grammar, with big-endian numbers and 32 bytes for each hash:
//
//   file    = header data digests runs trailer
//   header  = "forkfleet diff 1\n" u64 memory-bytes base-root-hash
//             and zeros up to 4096 bytes
//   data    = whole pages, packed in the order of their arrival
//   digests = one SHA-256 for each 4 MiB of data, the last for what is left
//   runs    = { u64 address  u64 bytes  u64 offset }
//             sorted by address; offset: of its pages in the file, or 0 for
//             a run of zeros
//   trailer = u64 data-bytes  u64 run-count  runs-hash  table-hash
//             "forkfleet diff end\n"
//
// runs-hash is the SHA-256 of `runs`, table-hash that of header, digests,
// runs and the trailer before it. Every page of data belongs to one run; runs
// do not overlap, and neighbours that could be one run are one. A run of data
// can be mapped: address and offset are multiples of a page.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/memory_image.hpp"
#include "node/storage/hash.hpp"

namespace forkfleet {

/// Where the data begins.
inline constexpr uint64_t diff_data_offset = guest_page_bytes;

/// The most runs of one file.
inline constexpr uint64_t diff_runs_max = 1u << 24;

/// Guest memory beyond this is a mistake.
inline constexpr uint64_t guest_memory_max = uint64_t{1} << 48;

/// Neighbouring pages that lie side by side in the file, or are all zeros.
struct diff_run {
  uint64_t address = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0; // in the file; 0: zeros

  bool is_zeros() const { return offset == 0; }
  uint64_t end() const { return address + bytes; }
  friend bool operator==(const diff_run&, const diff_run&) = default;
};

/// All of the file but its data.
struct diff_table {
  uint64_t memory_bytes = 0;
  sha256 base = {}; // the base's root hash
  uint64_t data_bytes = 0;
  std::vector<sha256> digests = {};
  std::vector<diff_run> runs = {};

  friend bool operator==(const diff_table&, const diff_table&) = default;
};

/// The size of header, and of the trailer.
inline constexpr uint64_t diff_header_bytes = diff_data_offset;
inline constexpr uint64_t diff_trailer_bytes = 8 + 8 + 32 + 32 + 19;

/// The header's bytes.
std::vector<uint8_t> diff_header(const diff_table& table);

/// What follows the data: digests, runs and trailer.
expected<std::vector<uint8_t>> diff_tail(const diff_table& table);

/// SHA-256 of the runs as they stand in the file.
expected<sha256> runs_hash_of(std::span<const diff_run> runs);

/// The size of the whole file.
uint64_t diff_file_bytes(uint64_t data_bytes, uint64_t runs);

/// What a trailer promises, looked at before anything else is read.
struct diff_trailer {
  uint64_t data_bytes = 0;
  uint64_t runs = 0;
};

/// Reads a trailer of a file of `file_bytes`. snapshot_corrupt unless it is
/// one and fits this size. `path` is for the message, here and below.
expected<diff_trailer> read_diff_trailer(std::span<const uint8_t> trailer,
                                         uint64_t file_bytes,
                                         const std::string& path);

/// Reads what stands around the data; `tail` as `diff_tail` makes it.
/// snapshot_corrupt names the byte or the run at which it breaks the grammar.
expected<diff_table> read_diff_table(std::span<const uint8_t> header,
                                     std::span<const uint8_t> tail,
                                     const diff_trailer& promised,
                                     const std::string& path);

} // namespace forkfleet
