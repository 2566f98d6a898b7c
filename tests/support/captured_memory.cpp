// SPDX-License-Identifier: Apache-2.0
#include "tests/support/captured_memory.hpp"

#include <algorithm>

namespace forkfleet::test {

status captured_memory::take(uint64_t address, uint64_t bytes) {
  if (address % guest_page_bytes != 0 || bytes % guest_page_bytes != 0
      || address > bytes_ || bytes > bytes_ - address)
    return fail(ec::io_failed,
                "not whole pages of the memory: " + std::to_string(address)
                  + " + " + std::to_string(bytes));
  return {};
}

status captured_memory::write(uint64_t address,
                              std::span<const uint8_t> bytes) {
  if (auto good = take(address, bytes.size()); !good)
    return good;
  if (written_ + bytes.size() > room_)
    return fail(ec::disk_full, "the test's disk is full");
  written_ += bytes.size();
  for (; !bytes.empty(); bytes = bytes.subspan(guest_page_bytes)) {
    const auto page = bytes.first(guest_page_bytes);
    pages_[address].assign(page.begin(), page.end());
    address += guest_page_bytes;
  }
  return {};
}

status captured_memory::zero(memory_range range) {
  if (auto good = take(range.begin, range.bytes()); !good)
    return good;
  for (auto at = range.begin; at < range.end; at += guest_page_bytes)
    pages_[at].clear();
  return {};
}

status captured_memory::expect(uint64_t bytes) {
  if (is_foretold_ && bytes > room_ - written_)
    return fail(ec::disk_full, "the test's disk is full");
  return {};
}

status captured_memory::read(uint64_t address, std::span<uint8_t> into) const {
  while (!into.empty()) {
    const auto begin = address / guest_page_bytes * guest_page_bytes;
    const auto skip = address - begin;
    const auto size = std::min<uint64_t>(guest_page_bytes - skip, into.size());
    const auto part = into.first(size);
    const auto found = pages_.find(begin);
    if (found != pages_.end() && !found->second.empty())
      std::copy_n(found->second.begin() + static_cast<std::ptrdiff_t>(skip),
                  size, part.begin());
    else if (found != pages_.end() || !base_)
      std::ranges::fill(part, uint8_t{0});
    else if (auto good = base_->read(address, part); !good)
      return good;
    into = into.subspan(size);
    address += size;
  }
  return {};
}

} // namespace forkfleet::test
