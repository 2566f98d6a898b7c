// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/flat_files.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"

namespace forkfleet::test {

namespace {

constexpr uint64_t stripe_bytes = 16 * guest_page_bytes;

unique_fd make_file(const std::string& path, uint64_t bytes) {
  auto fd = unique_fd{
    ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  REQUIRE(fd.get() >= 0);
  REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0);
  return fd;
}

bool is_zero(const std::vector<uint8_t>& bytes) {
  return std::ranges::all_of(bytes, [](uint8_t x) { return x == 0; });
}

void copy_part(const memory_image& memory, memory_range part, int fd) {
  auto room = std::vector<uint8_t>(guest_page_bytes);
  for (auto at = part.begin; at < part.end; at += room.size()) {
    REQUIRE(memory.read(at, room));
    if (!is_zero(room))
      REQUIRE(::pwrite(fd, room.data(), room.size(), static_cast<off_t>(at))
              == static_cast<ssize_t>(room.size()));
  }
}

} // namespace

memory_layout write_flat(const memory_image& memory, const std::string& path) {
  const auto fd = make_file(path, memory.bytes());
  copy_part(memory, {0, memory.bytes()}, fd.get());
  return flat_layout(path, memory.bytes());
}

memory_layout write_chain(const memory_image& memory, const std::string& path) {
  const auto diff_path = path + ".diff";
  const auto flat = make_file(path, memory.bytes());
  const auto diff = make_file(diff_path, memory.bytes());
  auto layout = memory_layout{
    .bytes = memory.bytes(), .files = {path, diff_path}, .segments = {}};
  for (uint64_t at = 0; at < memory.bytes(); at += stripe_bytes) {
    const auto size = std::min(stripe_bytes, memory.bytes() - at);
    const std::size_t file = at / stripe_bytes % 2;
    copy_part(memory, {at, at + size}, (file == 0 ? flat : diff).get());
    layout.segments.push_back(
      {.address = at, .bytes = size, .file = file, .offset = at});
  }
  return layout;
}

} // namespace forkfleet::test
