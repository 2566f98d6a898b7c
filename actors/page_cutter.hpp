// SPDX-License-Identifier: Apache-2.0
// Cuts what is told in pages by the bytes that it takes, so that a page fits
// into one message whatever its entries hold. Pure; knows no CAF.
#pragma once

#include <cstddef>

#include "actors/schema/wire_size.hpp"

namespace forkfleet {

/// What the entries of one page take at most: far under the 256 KiB that a
/// frame may have, and enough for any page of ordinary entries.
inline constexpr std::size_t page_bytes_max = 160 * 1024;

/// What became of an entry that was too big for any page.
enum class entry_fit : unsigned char {
  /// It fits as it is.
  whole,
  /// Its texts and lists were cut; they say so.
  shortened,
  /// It does not fit even so: it must be left out.
  none,
};

/// Makes an entry fit into a page.
template <class Entry>
entry_fit make_fit(Entry& entry, std::size_t bytes_max = page_bytes_max) {
  constexpr std::size_t text_max = 1024;
  constexpr std::size_t list_max = 32;
  if (schema::wire_size(entry) <= bytes_max)
    return entry_fit::whole;
  schema::shorten(entry, text_max, list_max);
  return schema::wire_size(entry) <= bytes_max ? entry_fit::shortened
                                               : entry_fit::none;
}

/// Counts what is on the page that is being filled.
class page_cutter {
public:
  explicit page_cutter(std::size_t entries_max,
                       std::size_t bytes_max = page_bytes_max)
    : entries_max_(entries_max), bytes_max_(bytes_max) {
    // nop
  }

  /// Takes an entry onto the page. False when the page is full and a new one
  /// must be begun; an empty page takes any entry that `make_fit` let pass.
  template <class Entry>
  bool take(const Entry& entry) {
    const auto bytes = schema::wire_size(entry);
    if (entries_ > 0
        && (entries_ >= entries_max_ || bytes_ + bytes > bytes_max_))
      return false;
    ++entries_;
    bytes_ += bytes;
    return true;
  }

  /// Begins a new page.
  void begin() {
    entries_ = 0;
    bytes_ = 0;
  }

private:
  std::size_t entries_max_;
  std::size_t bytes_max_;
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace forkfleet
