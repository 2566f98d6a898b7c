// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_set.hpp"

#include <algorithm>
#include <bit>

namespace forkfleet::qemu {

namespace {

constexpr uint64_t bits = 64;
constexpr uint64_t all_ones = ~uint64_t{0};

} // namespace

page_set::page_set(uint64_t memory_bytes)
  : pages_{memory_bytes / guest_page_bytes},
    words_(static_cast<std::size_t>((pages_ + bits - 1) / bits)) {}

void page_set::add(memory_range range) {
  set(range, true);
}

void page_set::remove(memory_range range) {
  set(range, false);
}

void page_set::clear() {
  std::fill(words_.begin(), words_.end(), uint64_t{0});
}

void page_set::add(const page_set& other) {
  for (std::size_t i = 0; i < words_.size(); ++i)
    words_[i] |= other.words_[i];
}

void page_set::remove(const page_set& other) {
  for (std::size_t i = 0; i < words_.size(); ++i)
    words_[i] &= ~other.words_[i];
}

bool page_set::has(uint64_t address) const {
  const auto page = address / guest_page_bytes;
  return (words_[page / bits] >> (page % bits) & 1) != 0;
}

uint64_t page_set::bytes() const {
  uint64_t count = 0;
  for (const auto word : words_)
    count += static_cast<uint64_t>(std::popcount(word));
  return count * guest_page_bytes;
}

memory_range page_set::next(uint64_t from, uint64_t bytes_max) const {
  const auto begin = find(from / guest_page_bytes, true, pages_);
  const auto length = std::max(bytes_max / guest_page_bytes, uint64_t{1});
  const auto limit = begin + std::min(length, pages_ - begin);
  const auto end = find(begin, false, limit);
  return {begin * guest_page_bytes, end * guest_page_bytes};
}

void page_set::set(memory_range range, bool value) {
  const auto end = std::min(range.end / guest_page_bytes, pages_);
  for (auto page = range.begin / guest_page_bytes; page < end;) {
    const auto first = page % bits;
    const auto count = std::min(bits - first, end - page);
    const auto mask = (count == bits ? all_ones : (uint64_t{1} << count) - 1)
                      << first;
    auto& word = words_[page / bits];
    word = value ? word | mask : word & ~mask;
    page += count;
  }
}

// The first page from `page` on that is in the set, or is not; else `end`.
uint64_t page_set::find(uint64_t page, bool value, uint64_t end) const {
  while (page < end) {
    const auto word = value ? words_[page / bits] : ~words_[page / bits];
    const auto rest = word >> (page % bits);
    if (rest != 0)
      return std::min(end,
                      page + static_cast<uint64_t>(std::countr_zero(rest)));
    page = (page / bits + 1) * bits;
  }
  return end;
}

} // namespace forkfleet::qemu
