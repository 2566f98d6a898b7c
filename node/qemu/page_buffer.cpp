// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_buffer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "node/qemu/page_writer.hpp"

namespace forkfleet::qemu {

namespace {

constexpr auto any_length = std::numeric_limits<uint64_t>::max();
constexpr std::array<uint8_t, guest_page_bytes> zero_page{};

} // namespace

expected<page_buffer> page_buffer::make(arena_pool& arenas,
                                        uint64_t memory_bytes,
                                        uint64_t ready_bytes) {
  auto taken = arenas.take(memory_bytes, std::min(memory_bytes, ready_bytes));
  if (!taken)
    return tl::unexpected(taken.error());
  return page_buffer{arenas, std::move(*taken), memory_bytes};
}

page_buffer::page_buffer(arena_pool& arenas, std::unique_ptr<arena> memory,
                         uint64_t memory_bytes)
  : arenas_{&arenas}, arena_{std::move(memory)}, held_{memory_bytes},
    zeros_{memory_bytes}, placed_{memory_bytes},
    slots_(static_cast<std::size_t>(memory_bytes / guest_page_bytes)) {}

page_buffer::~page_buffer() {
  if (arena_)
    arenas_->give_back(std::move(arena_));
}

bool page_buffer::is_ready_for(const page_set& pages) const {
  auto fresh = pages;
  fresh.remove(placed_);
  const auto ready = arena_->ready_bytes();
  return fresh.bytes() <= (ready > used_ ? ready - used_ : 0) / 2;
}

// There are as many slots as pages: it cannot run out of them.
uint32_t page_buffer::slot_of(uint64_t page) {
  const auto address = page * guest_page_bytes;
  if (!placed_.has(address)) {
    placed_.add({address, address + guest_page_bytes});
    slots_[page] = static_cast<uint32_t>(used_ / guest_page_bytes);
    used_ += guest_page_bytes;
  }
  return slots_[page];
}

std::span<uint8_t> page_buffer::add(memory_range pages) {
  const auto first = pages.begin / guest_page_bytes;
  const auto end = pages.end / guest_page_bytes;
  const auto slot = slot_of(first);
  auto next = first + 1;
  while (next < end && slot_of(next) == slot + (next - first))
    ++next;
  const auto taken = memory_range{pages.begin, next * guest_page_bytes};
  held_.add(taken);
  zeros_.remove(taken);
  return arena_->bytes().subspan(slot * guest_page_bytes, taken.bytes());
}

void page_buffer::add_zeros(memory_range pages) {
  held_.add(pages);
  zeros_.add(pages);
}

std::span<const uint8_t> page_buffer::page_at(uint64_t address) const {
  if (zeros_.has(address))
    return zero_page;
  const auto slot = slots_[address / guest_page_bytes];
  return arena_->bytes().subspan(slot * guest_page_bytes, guest_page_bytes);
}

status page_buffer::write_to(memory_sink& sink, bool tells_zeros) const {
  auto writer = page_writer{sink};
  for (auto run = held_.next(0, any_length); run.begin < run.end;
       run = held_.next(run.end, any_length))
    for (auto at = run.begin; at < run.end; at += guest_page_bytes) {
      const auto page = page_at(at);
      const bool is_zero = is_zero_page(page);
      if (is_zero && !tells_zeros)
        continue;
      if (auto done = is_zero ? writer.zero(at) : writer.page(at, page); !done)
        return done;
    }
  return writer.flush();
}

status page_buffer::write_rest_as_zeros(memory_sink& sink) const {
  const auto end = slots_.size() * guest_page_bytes;
  for (uint64_t at = 0; at < end;) {
    const auto run = held_.next(at, any_length);
    if (run.begin > at)
      if (auto done = sink.zero({at, run.begin}); !done)
        return done;
    at = std::max(run.end, run.begin);
  }
  return {};
}

} // namespace forkfleet::qemu
