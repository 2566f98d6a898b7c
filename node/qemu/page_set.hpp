// SPDX-License-Identifier: Apache-2.0
// A set of pages of a guest's memory, one bit a page. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "node/memory_image.hpp"

namespace forkfleet::qemu {

/// Pages of a memory of a fixed size. After its making nothing allocates.
class page_set {
public:
  explicit page_set(uint64_t memory_bytes);

  /// Adds and removes all pages of a range within the memory.
  void add(memory_range range);
  void remove(memory_range range);
  void clear();

  /// Adds and removes the pages of another set of the same memory.
  void add(const page_set& other);
  void remove(const page_set& other);

  bool has(uint64_t address) const;

  /// The bytes of all pages in it.
  uint64_t bytes() const;

  /// The first run of pages that begins at or after `from`, cut at
  /// `bytes_max`; empty after the last one.
  memory_range next(uint64_t from, uint64_t bytes_max) const;

private:
  void set(memory_range range, bool value);
  uint64_t find(uint64_t page, bool value, uint64_t end) const;

  uint64_t pages_;
  std::vector<uint64_t> words_;
};

} // namespace forkfleet::qemu
