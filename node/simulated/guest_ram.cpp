// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest_ram.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <fcntl.h>
#include <numeric>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

#include "actors/unique_fd.hpp"

namespace forkfleet {

void page_set::add(memory_range range) {
  for (auto page = range.begin / guest_page_bytes;
       page < range.end / guest_page_bytes; ++page)
    add(page);
}

uint64_t page_set::count() const {
  return std::accumulate(
    words_.begin(), words_.end(), uint64_t{0}, [](uint64_t sum, uint64_t word) {
      return sum + static_cast<uint64_t>(std::popcount(word));
    });
}

std::vector<memory_range> page_set::ranges() const {
  auto result = std::vector<memory_range>{};
  for (std::size_t i = 0; i < words_.size(); ++i) {
    for (auto word = words_[i]; word != 0; word &= word - 1) {
      const auto page = i * 64 + static_cast<uint64_t>(std::countr_zero(word));
      const auto begin = page * guest_page_bytes;
      if (!result.empty() && result.back().end == begin)
        result.back().end += guest_page_bytes;
      else
        result.push_back({begin, begin + guest_page_bytes});
    }
  }
  return result;
}

void page_set::merge(const page_set& other) {
  for (std::size_t i = 0; i < words_.size(); ++i)
    words_[i] |= other.words_[i];
}

void page_set::clear() {
  std::ranges::fill(words_, uint64_t{0});
}

guest_ram::guest_ram(std::span<uint8_t> bytes)
  : bytes_{bytes}, written_{pages()}, touched_{pages()} {}

guest_ram::guest_ram(guest_ram&& other) noexcept
  : bytes_{std::exchange(other.bytes_, {})},
    written_{std::move(other.written_)}, touched_{std::move(other.touched_)} {}

guest_ram::~guest_ram() {
  if (!bytes_.empty())
    ::munmap(bytes_.data(), bytes_.size());
}

expected<guest_ram> guest_ram::make(uint64_t bytes) {
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    return tl::unexpected{errno_failure(errno, "memory of a simulated VM")};
  return guest_ram{{static_cast<uint8_t*>(start), bytes}};
}

expected<guest_ram> guest_ram::map(const memory_layout& layout) {
  auto ram = make(layout.bytes);
  if (!ram)
    return ram;
  auto files = std::vector<unique_fd>{};
  for (const auto& path : layout.files) {
    files.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!files.back())
      return tl::unexpected{errno_failure(errno, "open " + path)};
  }
  for (const auto& part : layout.segments)
    if (part.file)
      if (auto done = ram->place(part, files[*part.file].get()); !done)
        return tl::unexpected{done.error()};
  return ram;
}

status guest_ram::place(const memory_segment& part, int fd) {
  struct stat known = {};
  if (::fstat(fd, &known) != 0)
    return tl::unexpected{errno_failure(errno, "look at a snapshot's memory")};
  // Beyond the end of a file there are no pages, not even zeros.
  const auto pages =
    (static_cast<uint64_t>(known.st_size) + guest_page_bytes - 1)
    / guest_page_bytes;
  const auto end = std::max(pages * guest_page_bytes, part.offset);
  const auto bytes = std::min(part.bytes, end - part.offset);
  if (bytes == 0)
    return {};
  void* where = bytes_.data() + part.address;
  if (::mmap(where, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
             static_cast<off_t>(part.offset))
      == MAP_FAILED)
    return tl::unexpected{errno_failure(errno, "map a snapshot's memory")};
  touched_.add(memory_range{part.address, part.address + bytes});
  return {};
}

std::span<uint8_t> guest_ram::edit(uint64_t page) {
  written_.add(page);
  touched_.add(page);
  return bytes_.subspan(page * guest_page_bytes, guest_page_bytes);
}

page_set guest_ram::take_written() {
  return std::exchange(written_, page_set{pages()});
}

} // namespace forkfleet
