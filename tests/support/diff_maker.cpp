// SPDX-License-Identifier: Apache-2.0
#include "tests/support/diff_maker.hpp"

#include <algorithm>
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"

namespace forkfleet::test {

bytes random_pages(std::mt19937& dice, std::size_t pages) {
  bytes result(pages * guest_page_bytes);
  for (std::size_t i = 0; i < pages; ++i) {
    const auto value = static_cast<uint8_t>(dice() % 4 == 0 ? 0 : dice() % 256);
    std::fill_n(result.begin()
                  + static_cast<std::ptrdiff_t>(i * guest_page_bytes),
                guest_page_bytes, value);
  }
  return result;
}

bool change(std::mt19937& dice, memory_sink& sink, bytes& model,
            std::size_t steps) {
  const auto pages = model.size() / guest_page_bytes;
  for (std::size_t i = 0; i < steps; ++i) {
    const auto first = dice() % pages;
    const auto count = 1 + dice() % std::min<std::size_t>(8, pages - first);
    const auto at = first * guest_page_bytes;
    const auto place = model.begin() + static_cast<std::ptrdiff_t>(at);
    if (dice() % 4 == 0) {
      std::fill_n(place, count * guest_page_bytes, uint8_t{0});
      if (!sink.zero({at, at + count * guest_page_bytes}))
        return false;
    } else {
      const auto fresh = random_pages(dice, count);
      std::copy(fresh.begin(), fresh.end(), place);
      if (!sink.write(at, fresh))
        return false;
    }
  }
  return true;
}

sha256 some_hash(uint8_t number) {
  sha256 result{};
  result.fill(number);
  return result;
}

void write_file(const std::string& path, const bytes& content) {
  const auto fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  REQUIRE(fd);
  REQUIRE(write_at(fd->get(), content, 0, path));
}

void flip_bit(const std::string& path, uint64_t at) {
  const auto fd = open_file(path, O_RDWR);
  REQUIRE(fd);
  uint8_t byte = 0;
  REQUIRE(read_at(fd->get(), {&byte, 1}, at, path));
  byte ^= 1;
  REQUIRE(write_at(fd->get(), std::span<const uint8_t>{&byte, 1}, at, path));
}

bytes read_all(const memory_image& image, std::mt19937& dice) {
  bytes result(image.bytes());
  for (std::size_t at = 0; at < result.size();) {
    const auto part =
      std::min<std::size_t>(1 + dice() % 100000, result.size() - at);
    REQUIRE(image.read(at, std::span{result}.subspan(at, part)));
    at += part;
  }
  return result;
}

} // namespace forkfleet::test
