// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_copy.hpp"

#include <array>
#include <limits>
#include <vector>

#include "node/qemu/page_writer.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::size_t parts_max = 512;

status write_parts(std::span<const memory_range> parts, byte_view bytes,
                   bool tells_zeros, page_writer& writer) {
  for (const auto& part : parts)
    for (auto at = part.begin; at < part.end; at += guest_page_bytes) {
      const auto page = bytes.first(guest_page_bytes);
      bytes = bytes.subspan(guest_page_bytes);
      const bool is_zero = is_zero_page(page);
      if (is_zero && !tells_zeros)
        continue;
      if (auto done = is_zero ? writer.zero(at) : writer.page(at, page); !done)
        return done;
    }
  return {};
}

} // namespace

status copy_pages(const guest_memory& memory, const page_set& pages,
                  page_buffer& buffer) {
  constexpr auto any_length = std::numeric_limits<uint64_t>::max();
  auto parts = std::array<memory_range, parts_max>{};
  auto rooms = std::array<std::span<uint8_t>, parts_max>{};
  for (auto run = pages.next(0, any_length); run.begin < run.end;) {
    std::size_t count = 0;
    while (run.begin < run.end && count < parts.size()) {
      rooms[count] = buffer.add(run);
      parts[count] = {run.begin, run.begin + rooms[count].size()};
      run.begin = parts[count++].end;
      if (run.begin == run.end)
        run = pages.next(run.end, any_length);
    }
    if (auto done = memory.read(std::span{parts}.first(count),
                                std::span{rooms}.first(count));
        !done)
      return done;
  }
  return {};
}

status copy_pages(const guest_memory& memory, const page_set& pages,
                  page_buffer& buffer, memory_sink& sink, bool tells_zeros,
                  const std::function<status()>& goes_on) {
  auto writer = page_writer{sink};
  auto bytes = std::vector<uint8_t>(copy_stage_bytes);
  auto parts = std::vector<memory_range>{};
  auto rooms = std::vector<std::span<uint8_t>>{};
  for (auto run = pages.next(0, copy_stage_bytes); run.begin < run.end;) {
    if (auto going = goes_on(); !going)
      return going;
    parts.clear();
    rooms.clear();
    uint64_t size = 0;
    for (; run.begin < run.end && size + run.bytes() <= copy_stage_bytes
           && parts.size() < parts_max;
         run = pages.next(run.end, copy_stage_bytes)) {
      parts.push_back(run);
      rooms.push_back(std::span{bytes}.subspan(size, run.bytes()));
      size += run.bytes();
      buffer.forget(run);
    }
    if (auto done = memory.read(parts, rooms); !done)
      return done;
    if (auto done = write_parts(parts, bytes, tells_zeros, writer); !done)
      return done;
  }
  return writer.flush();
}

} // namespace forkfleet::qemu
