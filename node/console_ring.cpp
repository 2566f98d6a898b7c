// SPDX-License-Identifier: Apache-2.0
#include "node/console_ring.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

// Only whole blocks are given back; one of 64 KiB is a file system's largest.
constexpr uint64_t block_bytes = 64 << 10;

// The kernel has them in whole blocks, too: a part of one is kept.
uint64_t whole_blocks(uint64_t bytes) {
  return bytes / block_bytes * block_bytes;
}

} // namespace

uint64_t ring_begin(int file, uint64_t size) {
  const auto found = ::lseek(file, 0, SEEK_DATA);
  if (found >= 0)
    return std::min(static_cast<uint64_t>(found), size);
  return errno == ENXIO ? size : 0;
}

status trim_ring(const std::string& path, uint64_t keep) {
  const auto file = unique_fd{
    ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  struct stat known = {};
  if (!file && errno == ENOENT)
    return {};
  if (!file || ::fstat(file.get(), &known) != 0)
    return tl::unexpected(errno_failure(errno, path));
  if (!S_ISREG(known.st_mode))
    return fail(ec::io_failed, path + ": not a regular file");
  const auto size = static_cast<uint64_t>(known.st_size);
  const auto begin = ring_begin(file.get(), size);
  if (size - begin <= keep + keep / 8)
    return {};
  const auto end = whole_blocks(size - keep);
  if (end <= begin)
    return {};
  if (::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(end))
      == 0)
    return {};
  const int error = errno;
  return tl::unexpected(errno_failure(
    error, path + ": its front cannot be given back", ec::io_failed));
}

} // namespace forkfleet
