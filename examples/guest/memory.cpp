// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/memory.hpp"

namespace forkfleet::guest {

namespace {

// Makes a stamp a word that no other content of memory is likely to be.
constexpr uint64_t stamp_key = 0x5ca1ab1e0ddba11e;
constexpr uint64_t ring_pages_max = 1048576;
constexpr uint64_t round_mask = 0xffffffff;

uint64_t stamp_of(size_t index, uint64_t round) {
  return (uint64_t{index} << 32 | (round & round_mask)) ^ stamp_key;
}

std::string describe(uint64_t word) {
  const auto found = read_stamp(word);
  return found ? "page " + std::to_string(found->index) + " round "
                   + std::to_string(found->round)
               : "no stamp";
}

uint64_t weight(size_t index) {
  return 2 * uint64_t{index} + 1;
}

} // namespace

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

std::optional<page_stamp> read_stamp(uint64_t word) {
  const auto plain = word ^ stamp_key;
  if (plain >> 32 >= ring_pages_max)
    return std::nullopt;
  return page_stamp{plain >> 32, plain & round_mask};
}

void findings::add(const std::string& what) {
  const auto lock = std::lock_guard(mutex_);
  if (errors == 0)
    first = what;
  ++errors;
}

stamped_ring::stamped_ring(std::span<std::byte> pages, findings& found)
  : base_(pages.data()), count_(pages.size() / page_size), found_(found) {
  uint64_t dice = 0x9e3779b97f4a7c15;
  auto* words = reinterpret_cast<uint64_t*>(base_);
  for (size_t i = 0; i < count_ * page_size / sizeof(uint64_t); ++i)
    words[i] = next_random(dice);
  for (size_t i = 0; i < count_; ++i)
    stamp(i, 0);
}

void stamped_ring::write(size_t count) {
  for (size_t i = 0; i < count && count_ != 0; ++i) {
    check(writer_, round_ - 1, "rewrite");
    stamp(writer_, round_);
    if (++writer_ == count_) {
      writer_ = 0;
      ++round_;
    }
  }
}

void stamped_ring::sweep(size_t count) {
  for (size_t i = 0; i < count && count_ != 0; ++i) {
    check(sweeper_, sweeper_ < writer_ ? round_ : round_ - 1, "sweep");
    if (++sweeper_ == count_) {
      sweeper_ = 0;
      ++sweeps_;
    }
  }
}

std::array<uint64_t*, 3> stamped_ring::places(size_t index) const {
  constexpr size_t last = page_size / sizeof(uint64_t) - 1;
  auto* page = reinterpret_cast<uint64_t*>(base_ + index * page_size);
  return {page, page + last / 2, page + last};
}

void stamped_ring::stamp(size_t index, uint64_t round) {
  for (auto* place : places(index))
    *static_cast<volatile uint64_t*>(place) = stamp_of(index, round);
}

void stamped_ring::check(size_t index, uint64_t round, const char* when) {
  const auto wanted = stamp_of(index, round);
  ++pages_checked_;
  for (const auto* place : places(index)) {
    const auto held = *static_cast<const volatile uint64_t*>(place);
    if (held == wanted)
      continue;
    found_.add(std::string(when) + ": expected " + describe(wanted) + ", found "
               + describe(held));
    return;
  }
}

summed_region::summed_region(std::span<uint64_t> words, findings& found)
  : words_(words), found_(found) {
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] = next_random(dice_);
    sum_ += weight(i) * words_[i];
  }
}

void summed_region::change() {
  if (checked_ != 0 || words_.size() < 2)
    return;
  const auto amount = next_random(dice_) >> 16;
  const auto from = next_random(dice_) % words_.size();
  const auto to = (from + words_.size() / 2) % words_.size();
  words_[from] -= amount;
  words_[to] += amount;
  sum_ += weight(to) * amount - weight(from) * amount;
}

void summed_region::check(size_t count) {
  for (size_t i = 0; i < count && checked_ < words_.size(); ++i, ++checked_)
    partial_ += weight(checked_) * words_[checked_];
  if (checked_ < words_.size())
    return;
  if (partial_ != sum_)
    found_.add("the checksum of the summed region is wrong");
  checked_ = 0;
  partial_ = 0;
  ++checks_;
}

} // namespace forkfleet::guest
