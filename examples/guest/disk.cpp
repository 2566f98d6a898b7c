// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/disk.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <x86intrin.h>

namespace forkfleet::guest {

namespace {

constexpr size_t words_per_block = page_size / sizeof(uint64_t);
constexpr uint64_t writes_per_flush = 64;

// Spreads one number over all bits.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

off_t place_of(size_t block) {
  return static_cast<off_t>(block * page_size);
}

} // namespace

uint64_t disk_word(uint64_t token, size_t block, size_t place) {
  return token + block * words_per_block + place;
}

stamped_disk::~stamped_disk() {
  if (fd_ >= 0)
    ::close(fd_);
  std::free(words_.data());
}

bool stamped_disk::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  const auto size = fd_ < 0 ? -1 : ::lseek(fd_, 0, SEEK_END);
  void* const room = std::aligned_alloc(page_size, page_size);
  if (size < static_cast<off_t>(page_size) || room == nullptr)
    return false;
  words_ = {static_cast<uint64_t*>(room), words_per_block};
  const auto blocks = static_cast<size_t>(size) / page_size;
  tokens_.resize(blocks < blocks_max ? blocks : blocks_max);
  for (size_t block = 0; block < tokens_.size(); ++block)
    if (!put(block))
      return false;
  return true;
}

// Siblings go on from the same memory: only the time tells them apart.
uint64_t stamped_disk::fresh_token() {
  return mix(mix(__rdtsc()) ^ writes_);
}

bool stamped_disk::put(size_t block) {
  const auto token = fresh_token();
  for (size_t i = 0; i < words_.size(); ++i)
    words_[i] = disk_word(token, block, i);
  if (::pwrite(fd_, words_.data(), page_size, place_of(block))
      != static_cast<ssize_t>(page_size))
    return false;
  tokens_[block] = token;
  ++writes_;
  return writes_ % writes_per_flush != 0 || ::fdatasync(fd_) == 0;
}

void stamped_disk::write() {
  if (!put(writer_))
    found_.add("block " + std::to_string(writer_)
               + " of the disk cannot be written: " + strerror(errno));
  writer_ = (writer_ + 1) % tokens_.size();
}

void stamped_disk::check() {
  const auto block = sweeper_;
  sweeper_ = (sweeper_ + 1) % tokens_.size();
  ++checks_;
  if (::pread(fd_, words_.data(), page_size, place_of(block))
      != static_cast<ssize_t>(page_size))
    return found_.add("block " + std::to_string(block)
                      + " of the disk cannot be read: " + strerror(errno));
  for (size_t i = 0; i < words_.size(); ++i)
    if (words_[i] != disk_word(tokens_[block], block, i))
      return found_.add("block " + std::to_string(block)
                        + " of the disk is not what was written there");
}

} // namespace forkfleet::guest
