// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/memory_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace forkfleet::firecracker {

namespace {

using std::chrono::steady_clock;

constexpr uint64_t chunk_bytes = 1 << 20;

// What one question to the file system tells at most.
constexpr std::size_t extents_at_once = 256;

using ranges = std::vector<memory_range>;

// Whole pages, joined with what is there already.
void add_pages(ranges& known, uint64_t begin, uint64_t end, uint64_t bytes) {
  begin = begin / guest_page_bytes * guest_page_bytes;
  end = std::min(bytes, (end + guest_page_bytes - 1) / guest_page_bytes
                          * guest_page_bytes);
  if (!known.empty() && begin <= known.back().end)
    known.back().end = std::max(known.back().end, end);
  else if (begin < end)
    known.push_back({begin, end});
}

// The extents follow on the head.
constexpr std::size_t head_words = sizeof(fiemap) / sizeof(uint64_t);

tl::unexpected<failure> extents_refused(int error) {
  if (error == EOPNOTSUPP || error == ENOTTY || error == EBADR)
    return fail(ec::unsupported, "this file system tells no extents");
  return tl::unexpected(
    errno_failure(error, "ask for the memory file's extents"));
}

// By the file system's own record of what was written. unsupported where it
// keeps none.
expected<ranges> mapped_extents(int fd, uint64_t bytes) {
  auto result = ranges{};
  auto room = std::vector<uint64_t>(
    (sizeof(fiemap) + extents_at_once * sizeof(fiemap_extent))
    / sizeof(uint64_t));
  auto* const asked = reinterpret_cast<fiemap*>(room.data());
  for (uint64_t from = 0; from < bytes;) {
    *asked = {};
    asked->fm_start = from;
    asked->fm_length = bytes - from;
    asked->fm_flags = FIEMAP_FLAG_SYNC;
    asked->fm_extent_count = extents_at_once;
    if (::ioctl(fd, FS_IOC_FIEMAP, asked) != 0)
      return extents_refused(errno);
    const auto* const told =
      reinterpret_cast<const fiemap_extent*>(room.data() + head_words);
    const auto count =
      std::min<std::size_t>(asked->fm_mapped_extents, extents_at_once);
    for (const auto& x : std::span{told, count})
      if ((x.fe_flags & FIEMAP_EXTENT_UNWRITTEN) == 0)
        add_pages(result, x.fe_logical, x.fe_logical + x.fe_length, bytes);
    if (count == 0 || (told[count - 1].fe_flags & FIEMAP_EXTENT_LAST) != 0)
      break;
    from = told[count - 1].fe_logical + told[count - 1].fe_length;
  }
  return result;
}

// By what is no hole. Right only for files whose space was not reserved:
// what was reserved and then read counts as data, too.
expected<ranges> unheld_extents(int fd, uint64_t bytes) {
  auto result = ranges{};
  for (off_t from = 0;;) {
    const auto data = ::lseek(fd, from, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
      return result;
    const auto hole = data < 0 ? data : ::lseek(fd, data, SEEK_HOLE);
    // What cannot be told is not taken for a hole.
    if (hole < 0)
      return tl::unexpected(
        errno_failure(errno, "look for what was written in the memory file"));
    if (static_cast<uint64_t>(data) >= bytes)
      return result;
    add_pages(result, static_cast<uint64_t>(data), static_cast<uint64_t>(hole),
              bytes);
    from = hole;
  }
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

bool tells_written_extents(int fd) {
  return mapped_extents(fd, guest_page_bytes).has_value();
}

expected<std::vector<memory_range>> written_extents(int fd, uint64_t bytes) {
  auto mapped = mapped_extents(fd, bytes);
  if (mapped || mapped.error().code != ec::unsupported)
    return mapped;
  return unheld_extents(fd, bytes);
}

expected<uint64_t> drain_extents(int fd, uint64_t bytes, memory_sink& sink,
                                 deadline_point until) {
  // All of them before anything is read, and no page is read beside them: a
  // page of reserved space that was read looks like one that was written.
  const auto extents = written_extents(fd, bytes);
  if (!extents)
    return tl::unexpected(extents.error());
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  auto room = std::vector<uint8_t>(chunk_bytes);
  uint64_t total = 0;
  for (const auto& extent : *extents) {
    for (auto at = extent.begin; at < extent.end;) {
      const auto part =
        std::span{room}.first(std::min(chunk_bytes, extent.end - at));
      if (auto done = read_all(fd, part, at); !done)
        return tl::unexpected(done.error());
      if (auto done = hand_over(at, part, sink); !done)
        return tl::unexpected(done.error());
      at += part.size();
      total += part.size();
      if (steady_clock::now() >= until)
        return fail(ec::deadline_exceeded, "the memory file is not drained");
    }
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
