// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/memory_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <unistd.h>
#include <vector>

namespace forkfleet::firecracker {

namespace {

using std::chrono::steady_clock;

constexpr uint64_t chunk_bytes = 1 << 20;

// The data extent at or after `from`, in whole pages.
std::optional<memory_range> next_extent(int fd, uint64_t from, uint64_t end) {
  const auto data = ::lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  if (data < 0 || static_cast<uint64_t>(data) >= end)
    return {};
  const auto hole = ::lseek(fd, data, SEEK_HOLE);
  const auto begin =
    static_cast<uint64_t>(data) / guest_page_bytes * guest_page_bytes;
  auto last = hole < 0 ? end : static_cast<uint64_t>(hole);
  last = (last + guest_page_bytes - 1) / guest_page_bytes * guest_page_bytes;
  return memory_range{begin, std::min(last, end)};
}

status read_all(int fd, std::span<uint8_t> into, uint64_t address) {
  while (!into.empty()) {
    const auto got =
      ::pread(fd, into.data(), into.size(), static_cast<off_t>(address));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return tl::unexpected(
        errno_failure(got < 0 ? errno : EIO, "read the memory file"));
    into = into.subspan(static_cast<std::size_t>(got));
    address += static_cast<uint64_t>(got);
  }
  return {};
}

bool is_zero(std::span<const uint8_t> page) {
  return std::ranges::all_of(page, [](uint8_t x) { return x == 0; });
}

// Whole pages, in runs of zeros and of others.
status hand_over(uint64_t address, std::span<const uint8_t> bytes,
                 memory_sink& sink) {
  while (!bytes.empty()) {
    const bool zeros = is_zero(bytes.first(guest_page_bytes));
    auto size = guest_page_bytes;
    while (size < bytes.size()
           && is_zero(bytes.subspan(size, guest_page_bytes)) == zeros)
      size += guest_page_bytes;
    auto done = zeros ? sink.zero({address, address + size})
                      : sink.write(address, bytes.first(size));
    if (!done)
      return done;
    address += size;
    bytes = bytes.subspan(size);
  }
  return {};
}

} // namespace

expected<uint64_t> drain_extents(int fd, uint64_t bytes, memory_sink& sink,
                                 deadline_point until) {
  auto room = std::vector<uint8_t>(chunk_bytes);
  uint64_t total = 0;
  uint64_t from = 0;
  while (const auto extent = next_extent(fd, from, bytes)) {
    for (auto at = extent->begin; at < extent->end;) {
      const auto part =
        std::span{room}.first(std::min(chunk_bytes, extent->end - at));
      if (auto done = read_all(fd, part, at); !done)
        return tl::unexpected(done.error());
      if (auto done = hand_over(at, part, sink); !done)
        return tl::unexpected(done.error());
      at += part.size();
      total += part.size();
      if (steady_clock::now() >= until)
        return fail(ec::deadline_exceeded, "the memory file is not drained");
    }
    from = extent->end;
  }
  return total;
}

expected<uint64_t> copy_file(int from, int to, deadline_point until) {
  auto room = std::array<char, 64 << 10>{};
  off_t total = 0;
  for (;;) {
    const auto got = ::pread(from, room.data(), room.size(), total);
    if (got < 0)
      return tl::unexpected(errno_failure(errno, "read the device state"));
    if (got == 0)
      return static_cast<uint64_t>(total);
    const auto size = static_cast<std::size_t>(got);
    if (to >= 0 && ::pwrite(to, room.data(), size, total) != got)
      return tl::unexpected(errno_failure(errno, "write the device state"));
    total += got;
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded, "the device state is not drained");
  }
}

} // namespace forkfleet::firecracker
