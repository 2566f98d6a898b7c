// SPDX-License-Identifier: Apache-2.0
// What lies over the base image of a child: text that the node writes and
// that the preload library reads inside QEMU. Without the C++ library, which
// QEMU does not have.
//
//   forkfleet overlay 1
//   memory BYTES
//   base PATH
//   file PATH            any number, numbered from 0 on
//   run ADDRESS BYTES FILE OFFSET
//   zero ADDRESS BYTES   runs and zeros sorted by address, whole pages
//   end COUNT            of runs and zeros
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace forkfleet::preload {

/// The most files that lie over a base.
inline constexpr std::size_t overlay_files_max = 256;

/// A run of pages; without a file its pages hold zeros.
struct overlay_run {
  uint64_t address = 0;
  uint64_t bytes = 0;
  bool is_zero = false;
  std::size_t file = 0;
  uint64_t offset = 0;
};

/// A text that was found to be whole. Its views are of that text.
struct overlay {
  uint64_t memory_bytes = 0;
  std::string_view base = {};
  std::array<std::string_view, overlay_files_max> files = {};
  std::size_t file_count = 0;
  std::string_view runs = {}; // for next_run
};

/// Checks all of the text; false when anything in it is not as it should be.
bool read_overlay(std::string_view text, overlay& result);

/// Takes the next run off the front of `runs`; false after the last one.
bool next_run(std::string_view& runs, overlay_run& result);

/// Maps the runs over the base, which is mapped at `start` with `flags`.
/// False when one cannot be mapped; errno tells why.
bool map_runs(const overlay& x, uint8_t* start, int protection, int flags);

} // namespace forkfleet::preload
