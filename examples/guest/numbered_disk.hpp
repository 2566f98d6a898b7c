// SPDX-License-Identifier: Apache-2.0
// A disk whose content needs no memory to be known: how the example guest
// finds out that what a device wrote into its memory is not in a snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "examples/guest/memory.hpp"

namespace forkfleet::guest {

/// A disk that nobody writes, of which every 8-byte word is the number of its
/// block. Pieces of it are read into one buffer past the guest's page cache,
/// so the device writes straight into memory that held other blocks before.
class numbered_disk {
public:
  /// Blocks of one page.
  static constexpr size_t piece_blocks = 512;

  explicit numbered_disk(findings& found) : found_(found) {}
  ~numbered_disk();
  numbered_disk(const numbered_disk&) = delete;
  numbered_disk& operator=(const numbered_disk&) = delete;

  /// Opens the disk; two readers with other seeds read other pieces. False
  /// with errno, also when it is smaller than a piece.
  bool open(const std::string& path, uint64_t seed);

  /// Reads some piece and compares a word of every sector, each time another.
  void check();

  uint64_t checks() const { return checks_; }

private:
  findings& found_;
  int fd_ = -1;
  std::span<uint64_t> words_ = {}; // one piece, aligned to a page
  uint64_t pieces_ = 0;
  uint64_t dice_ = 1;
  uint64_t checks_ = 0;
};

} // namespace forkfleet::guest
