// SPDX-License-Identifier: Apache-2.0
// Guest memory between a driver and the disk: where a capture's pages go,
// how those of a sealed snapshot are read, and what a child maps. Addresses
// are offsets into the guest's memory. Knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// The unit of all that is said about memory here.
inline constexpr uint64_t guest_page_bytes = 4096;

/// A part of the guest's memory; both ends are multiples of a page.
struct memory_range {
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t bytes() const { return end - begin; }
  friend bool operator==(const memory_range&, const memory_range&) = default;
};

/// Where the pages of a capture go. Used by one thread at a time, and never
/// in the pause window. What is said later about a page replaces what was
/// said before. Errors: disk_full, quota_exceeded, io_failed; after one the
/// sink is of no more use.
class memory_sink {
public:
  virtual ~memory_sink() = default;

  /// Takes whole pages from `address` on.
  virtual status write(uint64_t address, std::span<const uint8_t> bytes) = 0;

  /// All pages of the range hold zeros.
  virtual status zero(memory_range range) = 0;

  /// About so many more bytes will be written: gets the space for them, so
  /// that a full disk shows before the pause.
  virtual status expect(uint64_t bytes) = 0;

  /// Bytes that were written so far.
  virtual uint64_t written_bytes() const = 0;
};

/// The memory of a sealed snapshot, whatever its chain looks like. The files
/// stay open, so it can be read on after the snapshot was removed.
/// Thread-safe.
class memory_image {
public:
  virtual ~memory_image() = default;
  virtual uint64_t bytes() const = 0;

  /// Fills `into` with what lies from `address` on; any address and size
  /// within the memory.
  virtual status read(uint64_t address, std::span<uint8_t> into) const = 0;
};

using memory_image_ptr = std::shared_ptr<const memory_image>;

/// A run of pages in a file.
struct memory_segment {
  uint64_t address = 0;
  uint64_t bytes = 0;
  /// Index into memory_layout::files; nothing: zeros.
  std::optional<std::size_t> file = {};
  uint64_t offset = 0; // in that file; a multiple of a page

  friend bool operator==(const memory_segment&,
                         const memory_segment&) = default;
};

/// What a child maps: segments that cover all of the memory, sorted, without
/// overlap. The first file is the flat image at the end of the chain.
struct memory_layout {
  uint64_t bytes = 0;
  std::vector<std::string> files = {}; // absolute paths
  std::vector<memory_segment> segments = {};

  /// Whether one flat file holds all of it.
  bool is_flat() const { return segments.size() == 1 && files.size() == 1; }
  friend bool operator==(const memory_layout&, const memory_layout&) = default;
};

/// The layout of one flat file.
inline memory_layout flat_layout(std::string path, uint64_t bytes) {
  return {.bytes = bytes,
          .files = {std::move(path)},
          .segments = {{.bytes = bytes, .file = 0}}};
}

} // namespace forkfleet
