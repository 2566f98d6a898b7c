// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/sparse_file.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace forkfleet::shell {

namespace {

constexpr uint64_t block_bytes = 4096;

status write_at(int fd, uint64_t offset, std::string_view bytes,
                const std::string& what) {
  while (!bytes.empty()) {
    const auto put =
      ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno != EINTR)
      return tl::unexpected{errno_failure(errno, what)};
    if (put > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<uint64_t>(put);
    }
  }
  return {};
}

} // namespace

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

status write_sparse(int fd, uint64_t offset, std::string_view bytes,
                    const std::string& what) {
  auto run = std::string_view{};
  auto run_at = offset;
  while (!bytes.empty()) {
    const auto room = block_bytes - offset % block_bytes;
    const auto block = bytes.substr(0, room);
    if (block.size() == block_bytes && is_zero(block)) {
      if (auto fine = write_at(fd, run_at, run, what); !fine)
        return fine;
      run = {};
      run_at = offset + block.size();
    } else {
      run = {run.empty() ? block.data() : run.data(),
             run.size() + block.size()};
    }
    offset += block.size();
    bytes.remove_prefix(block.size());
  }
  return write_at(fd, run_at, run, what);
}

data_run next_data(int fd, uint64_t offset, uint64_t size) {
  const auto begin = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (begin < 0 && errno == ENXIO)
    return {size, size};
  if (begin < 0)
    return {offset, size};
  const auto end = ::lseek(fd, begin, SEEK_HOLE);
  if (end < 0)
    return {static_cast<uint64_t>(begin), size};
  return {std::min(static_cast<uint64_t>(begin), size),
          std::min(static_cast<uint64_t>(end), size)};
}

} // namespace forkfleet::shell
