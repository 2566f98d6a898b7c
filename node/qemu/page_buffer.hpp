// SPDX-License-Identifier: Apache-2.0
// Copies of a guest's pages in memory: where they go while the guest stands,
// and what is small enough before that. The newest copy of a page counts, and
// takes the place of the one before.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "node/memory_image.hpp"
#include "node/qemu/arena.hpp"
#include "node/qemu/page_set.hpp"

namespace forkfleet::qemu {

/// The pages of one capture, each at most once: never more than the guest's
/// memory. Nothing here touches storage but `write_to`.
class page_buffer {
public:
  /// Takes an arena that is as large as the guest's memory, of which
  /// `ready_bytes` are there at once; the rest comes when it is needed, more
  /// slowly. io_failed when the host has too little memory.
  static expected<page_buffer> make(arena_pool& arenas, uint64_t memory_bytes,
                                    uint64_t ready_bytes);
  ~page_buffer();
  page_buffer(page_buffer&&) noexcept = default;
  page_buffer& operator=(page_buffer&&) noexcept = default;

  /// Whether a new copy of these pages, and as many more, find room of which
  /// no page has to be made first.
  bool is_ready_for(const page_set& pages) const;

  /// Room for a new copy of the first of these pages, of as many as lie
  /// together in the buffer: at least one. The caller fills it, and asks again
  /// for the rest.
  std::span<uint8_t> add(memory_range pages);

  /// These pages hold zeros.
  void add_zeros(memory_range pages);

  /// A newer copy of these pages is somewhere else.
  void forget(memory_range pages) { held_.remove(pages); }

  /// The bytes of all pages that are held.
  uint64_t bytes() const { return held_.bytes(); }

  /// Makes room for so much more.
  status make_ready(uint64_t bytes) {
    return arena_->make_ready(used_ + bytes);
  }

  /// Writes what is held in order of addresses; zeros as such, or not at all.
  status write_to(memory_sink& sink, bool tells_zeros) const;

  /// Tells the sink that all pages that are not held hold zeros.
  status write_rest_as_zeros(memory_sink& sink) const;

private:
  page_buffer(arena_pool& arenas, std::unique_ptr<arena> memory,
              uint64_t memory_bytes);

  uint32_t slot_of(uint64_t page);
  std::span<const uint8_t> page_at(uint64_t address) const;

  arena_pool* arenas_;
  std::unique_ptr<arena> arena_;
  uint64_t used_ = 0;
  page_set held_;
  page_set zeros_;              // of those that are held
  page_set placed_;             // they have a slot, held or not
  std::vector<uint32_t> slots_; // by page: where its copy lies
};

} // namespace forkfleet::qemu
