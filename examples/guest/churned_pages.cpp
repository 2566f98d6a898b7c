// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/churned_pages.hpp"

#include <algorithm>
#include <string>
#include <sys/mman.h>

namespace forkfleet::guest {

namespace {

constexpr size_t words_per_page = page_size / sizeof(uint64_t);

// A run of them, as an allocator gives them back.
constexpr size_t freed_pages_max = 16;

// A page of zeros has no token: its words are all zero.
uint64_t word_at(uint64_t token, size_t place) {
  return token == 0 ? 0 : token + place;
}

} // namespace

churned_pages::churned_pages(std::span<std::byte> pages, findings& found)
  : base_(pages.data()), found_(found), tokens_(pages.size() / page_size) {}

std::span<uint64_t> churned_pages::words(size_t page) const {
  return {reinterpret_cast<uint64_t*>(base_ + page * page_size),
          words_per_page};
}

void churned_pages::change(size_t count) {
  for (size_t i = 0; i < count && tokens_.size() > 1; ++i) {
    const auto page = next_random(dice_) % tokens_.size();
    compare(page, "before a change");
    ++changes_;
    switch (next_random(dice_) % 8) {
      case 0:
      case 1:
      case 2:
        zero(page);
        break;
      case 3:
        free(page);
        break;
      case 4:
        exchange(page, next_random(dice_) % tokens_.size());
        break;
      default:
        fill(page);
    }
  }
}

void churned_pages::fill(size_t page) {
  const auto token = next_random(dice_) | 1;
  const auto into = words(page);
  for (size_t i = 0; i < into.size(); ++i)
    into[i] = word_at(token, i);
  tokens_[page] = token;
}

void churned_pages::zero(size_t page) {
  std::ranges::fill(words(page), uint64_t{0});
  tokens_[page] = 0;
}

// The kernel gives them to somebody else, and fresh ones on the next touch.
void churned_pages::free(size_t page) {
  const auto count =
    std::min(next_random(dice_) % freed_pages_max + 1, tokens_.size() - page);
  if (madvise(words(page).data(), count * page_size, MADV_DONTNEED) != 0)
    return found_.add("pages cannot be given back to the kernel");
  std::fill_n(tokens_.begin() + static_cast<std::ptrdiff_t>(page), count, 0);
}

void churned_pages::exchange(size_t page, size_t other) {
  if (page == other)
    return;
  compare(other, "before an exchange");
  std::ranges::swap_ranges(words(page), words(other));
  std::swap(tokens_[page], tokens_[other]);
}

void churned_pages::sweep(size_t count) {
  for (size_t i = 0; i < count && !tokens_.empty(); ++i) {
    compare(sweeper_, "sweep");
    if (++sweeper_ == tokens_.size()) {
      sweeper_ = 0;
      ++sweeps_;
    }
  }
}

void churned_pages::compare(size_t page, const char* when) {
  const auto token = tokens_[page];
  const auto held = words(page);
  for (size_t i = 0; i < held.size(); ++i)
    if (held[i] != word_at(token, i))
      return found_.add(std::string(when) + ": churned page "
                        + std::to_string(page) + " should hold "
                        + (token == 0 ? "zeros" : "what was written last")
                        + ", word " + std::to_string(i) + " is "
                        + (held[i] == 0 ? "zero" : "something else"));
}

} // namespace forkfleet::guest
