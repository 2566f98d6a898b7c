// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/numbered_disk.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace forkfleet::guest {

namespace {

constexpr size_t block_words = page_size / sizeof(uint64_t);

// One word of each sector tells: a device writes whole sectors, and a snapshot
// takes whole pages. All of them would take longer than the read.
constexpr size_t sector_words = 512 / sizeof(uint64_t);
constexpr size_t piece_bytes = numbered_disk::piece_blocks * page_size;

} // namespace

numbered_disk::~numbered_disk() {
  if (fd_ >= 0)
    ::close(fd_);
  std::free(words_.data());
}

bool numbered_disk::open(const std::string& path, uint64_t seed) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  const auto size = fd_ < 0 ? -1 : ::lseek(fd_, 0, SEEK_END);
  void* const room = std::aligned_alloc(page_size, piece_bytes);
  if (size < static_cast<off_t>(piece_bytes) || room == nullptr)
    return false;
  words_ = {static_cast<uint64_t*>(room), piece_blocks * block_words};
  pieces_ = static_cast<uint64_t>(size) / piece_bytes;
  dice_ = seed | 1;
  return true;
}

void numbered_disk::check() {
  const auto first = next_random(dice_) % pieces_ * piece_blocks;
  if (::pread(fd_, words_.data(), piece_bytes,
              static_cast<off_t>(first * page_size))
      != static_cast<ssize_t>(piece_bytes))
    return found_.add("block " + std::to_string(first)
                      + " of the numbered disk cannot be read: "
                      + strerror(errno));
  size_t wrong = 0;
  for (size_t block = 0; block < piece_blocks; ++block) {
    const auto held = words_.subspan(block * block_words, block_words);
    bool is_right = true;
    for (size_t i = checks_ % sector_words; i < block_words; i += sector_words)
      is_right = is_right && held[i] == first + block;
    wrong += is_right ? 0 : 1;
  }
  ++checks_;
  if (wrong > 0)
    found_.add("read from the numbered disk at block " + std::to_string(first)
               + ": " + std::to_string(wrong) + " of "
               + std::to_string(piece_blocks) + " pages wrong");
}

} // namespace forkfleet::guest
