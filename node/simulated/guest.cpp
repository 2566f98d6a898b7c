// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t working_pages_max = 256;
constexpr uint64_t page_magic = 0x666f726b'666c6565;
constexpr uint64_t state_magic = 0x73696d75'6c617465;

/// What stands at the head of each page, and what a device state is.
struct page_head {
  uint64_t magic = 0;
  uint64_t page = 0; // 0: the counter's page; working pages follow
  uint64_t tick = 0;
  uint64_t sum = 0;
};

struct state_record {
  uint64_t magic = 0;
  uint64_t memory_bytes = 0;
  uint64_t working_pages = 0;
  uint64_t tick = 0;
  uint64_t sum = 0;
};

uint64_t mix(uint64_t a, uint64_t b) {
  auto x = a * 0x9e3779b97f4a7c15ull + b + 0x7f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  return x ^ (x >> 31);
}

/// The last tick up to `tick` that wrote working page `page` of `count`.
uint64_t last_write(uint64_t tick, uint64_t page, uint64_t count) {
  if (tick <= page)
    return 0;
  return tick - (tick - 1 - page) % count;
}

status write_at(int fd, const void* data, std::size_t size, uint64_t offset,
                std::string_view what) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const auto count = pwrite(fd, from, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return tl::unexpected{errno_failure(errno, what)};
    from += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

status write_page(memory_sink& memory, uint64_t page, uint64_t tick) {
  auto bytes = std::array<uint8_t, page_bytes>{};
  const auto head = page_head{page_magic, page, tick, mix(page, tick)};
  std::memcpy(bytes.data(), &head, sizeof head);
  return memory.write(page * page_bytes, bytes);
}

/// Reads up to `size` bytes; what lies beyond the file's end stays zero.
status read_at(int fd, void* data, std::size_t size, uint64_t offset,
               const std::string& path) {
  auto* to = static_cast<char*>(data);
  while (size > 0) {
    const auto count = pread(fd, to, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return tl::unexpected{errno_failure(errno, "read " + path)};
    if (count == 0)
      return {};
    to += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

expected<unique_fd> open_file(const std::string& path) {
  auto fd = unique_fd{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return tl::unexpected{errno_failure(errno, "open " + path)};
  return fd;
}

/// The tick that a page holds; 0 for one that was never written.
expected<uint64_t> read_page(int fd, uint64_t page, const std::string& path) {
  auto head = page_head{};
  if (auto good = read_at(fd, &head, sizeof head, page * page_bytes, path);
      !good)
    return tl::unexpected{good.error()};
  if (head.magic == 0 && head.tick == 0 && head.sum == 0)
    return uint64_t{0};
  if (head.magic != page_magic || head.page != page
      || head.sum != mix(page, head.tick))
    return fail(ec::snapshot_corrupt,
                fmt::format("{}: page {} is damaged", path, page));
  return head.tick;
}

expected<state_record> read_state(const std::string& path) {
  const auto fd = open_file(path);
  if (!fd)
    return tl::unexpected{fd.error()};
  auto record = state_record{};
  if (auto good = read_at(fd->get(), &record, sizeof record, 0, path); !good)
    return tl::unexpected{good.error()};
  const bool is_ours =
    record.magic == state_magic && record.sum == mix(record.tick, state_magic)
    && record.working_pages > 0 && record.working_pages <= working_pages_max;
  if (!is_ours)
    return fail(ec::snapshot_corrupt,
                path + ": not the device state of a simulated VM");
  return record;
}

} // namespace

guest_image boot_guest(uint64_t memory_bytes) {
  const auto pages =
    std::clamp<uint64_t>(memory_bytes / page_bytes / 4, 1, working_pages_max);
  return {.memory_bytes = memory_bytes,
          .ticks = std::vector<uint64_t>(pages, 0)};
}

void run_guest(guest_image& guest, uint64_t tick) {
  const auto count = static_cast<uint64_t>(guest.ticks.size());
  // A page that is written again before `tick` need not be written twice.
  auto t = std::max(guest.tick, tick > count ? tick - count : 0);
  while (t < tick) {
    ++t;
    guest.ticks[(t - 1) % count] = t;
  }
  guest.tick = tick;
}

status check_instant(const guest_image& image) {
  const auto count = static_cast<uint64_t>(image.ticks.size());
  for (uint64_t page = 0; page < count; ++page) {
    const auto wanted = last_write(image.tick, page, count);
    if (image.ticks[page] != wanted)
      return fail(ec::snapshot_corrupt,
                  fmt::format("torn: at tick {} page {} must be of tick {}, "
                              "but is of {}",
                              image.tick, page, wanted, image.ticks[page]));
  }
  return {};
}

expected<uint64_t> write_memory(const guest_image& image, memory_sink& memory) {
  if (auto good = write_page(memory, 0, image.tick); !good)
    return tl::unexpected{good.error()};
  uint64_t written = page_bytes;
  for (uint64_t page = 0; page < image.ticks.size(); ++page) {
    if (image.ticks[page] == 0)
      continue;
    if (auto good = write_page(memory, page + 1, image.ticks[page]); !good)
      return tl::unexpected{good.error()};
    written += page_bytes;
  }
  return written;
}

expected<uint64_t> write_vmstate(const guest_image& image, int fd) {
  const auto record = state_record{state_magic, image.memory_bytes,
                                   static_cast<uint64_t>(image.ticks.size()),
                                   image.tick, mix(image.tick, state_magic)};
  if (auto good = write_at(fd, &record, sizeof record, 0,
                           "write the snapshot's device state");
      !good)
    return tl::unexpected{good.error()};
  return uint64_t{sizeof record};
}

expected<guest_image> read_guest(const std::string& memory_path,
                                 const std::string& vmstate_path) {
  const auto state = read_state(vmstate_path);
  if (!state)
    return tl::unexpected{state.error()};
  const auto fd = open_file(memory_path);
  if (!fd)
    return tl::unexpected{fd.error()};
  auto image = guest_image{.memory_bytes = state->memory_bytes};
  for (uint64_t page = 0; page <= state->working_pages; ++page) {
    const auto tick = read_page(fd->get(), page, memory_path);
    if (!tick)
      return tl::unexpected{tick.error()};
    if (page == 0)
      image.tick = *tick;
    else
      image.ticks.push_back(*tick);
  }
  if (image.tick != state->tick)
    return fail(ec::snapshot_corrupt,
                fmt::format("torn: the memory is of tick {}, the device state "
                            "of tick {}",
                            image.tick, state->tick));
  if (auto good = check_instant(image); !good)
    return tl::unexpected{good.error()};
  return image;
}

} // namespace forkfleet
