// SPDX-License-Identifier: Apache-2.0
// A disk that memory knows all of: how the example guest finds out that the
// two are of different instants, or that somebody else wrote its disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "examples/guest/memory.hpp"

namespace forkfleet::guest {

/// Blocks that are rewritten in turn, each with a token that was never used
/// before, here or in a sibling. What each block should hold stands in memory
/// alone; a sweep compares. The guest's page cache is passed by.
class stamped_disk {
public:
  /// Blocks of one page; not more than this many are used.
  static constexpr size_t blocks_max = 256;

  explicit stamped_disk(findings& found) : found_(found) {}
  ~stamped_disk();
  stamped_disk(const stamped_disk&) = delete;
  stamped_disk& operator=(const stamped_disk&) = delete;

  /// Opens the disk and writes all of its blocks once. False with errno.
  bool open(const std::string& path);
  bool is_open() const { return fd_ >= 0; }

  /// Rewrites the next block; has the disk flushed from time to time.
  void write();
  /// Compares the next block.
  void check();

  uint64_t writes() const { return writes_; }
  uint64_t checks() const { return checks_; }

private:
  uint64_t fresh_token();
  bool put(size_t block);

  findings& found_;
  int fd_ = -1;
  std::span<uint64_t> words_ = {}; // one block, aligned to a page
  std::vector<uint64_t> tokens_ = {};
  size_t writer_ = 0;
  size_t sweeper_ = 0;
  uint64_t writes_ = 0;
  uint64_t checks_ = 0;
};

/// The word at this place of a block that was written with `token`.
uint64_t disk_word(uint64_t token, size_t block, size_t place);

} // namespace forkfleet::guest
