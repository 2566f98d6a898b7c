// SPDX-License-Identifier: Apache-2.0
// Where each page of a guest lies in a packed file, for guests of which few
// pages do. Pure. Knows no CAF.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace forkfleet {

/// A table from the numbers of pages to slots. Takes room only where there
/// are entries: 2 KiB for each 2 MiB of memory, and 4 MiB for a TiB at most.
class page_slots {
public:
  /// Slots are less than these two.
  static constexpr uint32_t none = std::numeric_limits<uint32_t>::max();
  static constexpr uint32_t zeros = none - 1;

  /// The slot of a page; `none` when nothing was said of it.
  uint32_t get(uint64_t page) const {
    const auto piece = page / piece_pages;
    return piece < pieces_.size() && pieces_[piece]
             ? (*pieces_[piece])[page % piece_pages]
             : none;
  }

  void set(uint64_t page, uint32_t slot) {
    const auto piece = page / piece_pages;
    if (piece >= pieces_.size())
      pieces_.resize(piece + 1);
    if (!pieces_[piece]) {
      pieces_[piece] = std::make_unique<slots>();
      pieces_[piece]->fill(none);
    }
    (*pieces_[piece])[page % piece_pages] = slot;
  }

  /// Calls `visit(page, slot)` for each entry, in order of the pages.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (!pieces_[i])
        continue;
      for (std::size_t k = 0; k < piece_pages; ++k)
        if (const auto slot = (*pieces_[i])[k]; slot != none)
          visit(i * piece_pages + k, slot);
    }
  }

private:
  static constexpr std::size_t piece_pages = 512;
  using slots = std::array<uint32_t, piece_pages>;

  std::vector<std::unique_ptr<slots>> pieces_ = {};
};

} // namespace forkfleet
