// SPDX-License-Identifier: Apache-2.0
#include "node/storage/flat_sink.hpp"

#include <algorithm>
#include <array>

#include "node/storage/file.hpp"

namespace forkfleet {

status flat_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  auto done = write_at(fd_, bytes, address, path_);
  if (!done)
    return done;
  written_ += bytes.size();
  note_written({address, address + bytes.size()});
  return {};
}

status flat_sink::zero(memory_range range) {
  static constexpr std::array<uint8_t, guest_page_bytes> zeros{};
  for (auto at = range.begin; at < range.end; at += guest_page_bytes) {
    if (!was_written({at, at + guest_page_bytes}))
      continue;
    if (auto done = write_at(fd_, zeros, at, path_); !done)
      return done;
    written_ += guest_page_bytes;
  }
  return {};
}

bool flat_sink::was_written(memory_range range) const {
  const auto page = range.begin / guest_page_bytes;
  return page < pages_.size() && pages_[page];
}

void flat_sink::note_written(memory_range range) {
  const auto end = range.end / guest_page_bytes;
  if (pages_.size() < end)
    pages_.resize(std::max<std::size_t>(end, 2 * pages_.size()));
  std::fill(pages_.begin()
              + static_cast<std::ptrdiff_t>(range.begin / guest_page_bytes),
            pages_.begin() + static_cast<std::ptrdiff_t>(end), true);
}

} // namespace forkfleet
