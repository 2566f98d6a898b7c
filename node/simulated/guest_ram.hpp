// SPDX-License-Identifier: Apache-2.0
// The memory of a simulated VM: real pages that are there once they are
// written, and a record of which were written since it was last asked. A
// child's is mapped from its snapshot, privately. Knows no CAF and no clock.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "node/memory_image.hpp"

namespace forkfleet {

/// A set of pages.
class page_set {
public:
  explicit page_set(uint64_t pages = 0) : words_((pages + 63) / 64) {}

  void add(uint64_t page) { words_[page / 64] |= bit(page); }
  void add(memory_range range);
  bool has(uint64_t page) const { return words_[page / 64] & bit(page); }
  /// How many there are.
  uint64_t count() const;
  /// As ranges, in order.
  std::vector<memory_range> ranges() const;
  void merge(const page_set& other);
  void clear();

private:
  static uint64_t bit(uint64_t page) { return uint64_t{1} << (page % 64); }

  std::vector<uint64_t> words_;
};

/// One guest's memory. Moves, never copies.
class guest_ram {
public:
  /// All zeros. io_failed when the host has no room for it.
  static expected<guest_ram> make(uint64_t bytes);
  /// What a snapshot holds. Its files may go: the pages stay.
  static expected<guest_ram> map(const memory_layout& layout);

  guest_ram(guest_ram&& other) noexcept;
  guest_ram& operator=(guest_ram&&) = delete;
  ~guest_ram();

  std::span<uint8_t> bytes() const { return bytes_; }
  uint64_t pages() const { return bytes_.size() / guest_page_bytes; }

  /// A page that is about to be written.
  std::span<uint8_t> edit(uint64_t page);

  /// Pages written since take_written, and pages that may differ from zero.
  const page_set& written() const { return written_; }
  const page_set& touched() const { return touched_; }
  page_set take_written();
  void give_back_written(const page_set& pages) { written_.merge(pages); }

private:
  explicit guest_ram(std::span<uint8_t> bytes);
  status place(const memory_segment& part, int fd);

  std::span<uint8_t> bytes_;
  page_set written_;
  page_set touched_;
};

} // namespace forkfleet
