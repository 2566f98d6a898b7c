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
  for (auto run = pages.next(0, any_length); run.begin < run.end;) {
    std::size_t count = 0;
    auto room = std::span<uint8_t>{};
    for (; run.begin < run.end && count < parts.size();
         run = pages.next(run.end, any_length)) {
      const auto more = buffer.add(run);
      if (more.empty())
        return fail(ec::io_failed, "no memory is left for captured pages");
      // Room follows on room, so that all parts are read in one go.
      room = {count == 0 ? more.data() : room.data(),
              room.size() + more.size()};
      parts[count++] = run;
    }
    if (auto done = memory.read(std::span{parts}.first(count), room); !done)
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
  for (auto run = pages.next(0, copy_stage_bytes); run.begin < run.end;) {
    if (auto going = goes_on(); !going)
      return going;
    parts.clear();
    uint64_t size = 0;
    for (; run.begin < run.end && size + run.bytes() <= copy_stage_bytes
           && parts.size() < parts_max;
         run = pages.next(run.end, copy_stage_bytes)) {
      parts.push_back(run);
      size += run.bytes();
      buffer.forget(run);
    }
    if (auto done = memory.read(parts, bytes); !done)
      return done;
    if (auto done = write_parts(parts, bytes, tells_zeros, writer); !done)
      return done;
  }
  return writer.flush();
}

} // namespace forkfleet::qemu
