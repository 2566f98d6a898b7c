// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace forkfleet::test {

namespace {

using page_bytes = std::array<uint8_t, guest_page_bytes>;

status read_page(const page_place& place, page_bytes& into) {
  into.fill(0);
  if (!place.file)
    return {};
  const auto count = pread(place.file->get(), into.data(), into.size(),
                           static_cast<off_t>(place.offset));
  if (count < 0)
    return tl::unexpected{errno_failure(errno, "read a page")};
  return {};
}

status write_page(const file_ptr& file, uint64_t offset,
                  std::span<const uint8_t> page) {
  const auto count =
    pwrite(file->get(), page.data(), page.size(), static_cast<off_t>(offset));
  if (count != static_cast<ssize_t>(page.size()))
    return tl::unexpected{errno_failure(errno, "write a page")};
  return {};
}

class places_image : public memory_image {
public:
  explicit places_image(page_places places) : places_{std::move(places)} {}

  uint64_t bytes() const override { return places_.size() * guest_page_bytes; }

  status read(uint64_t address, std::span<uint8_t> into) const override {
    auto page = page_bytes{};
    while (!into.empty()) {
      const auto within = address % guest_page_bytes;
      if (auto good = read_page(places_.at(address / guest_page_bytes), page);
          !good)
        return good;
      const auto count =
        std::min<uint64_t>(into.size(), guest_page_bytes - within);
      std::memcpy(into.data(), page.data() + within, count);
      into = into.subspan(count);
      address += count;
    }
    return {};
  }

private:
  page_places places_;
};

} // namespace

file_ptr make_file(uint64_t bytes) {
  auto file =
    std::make_shared<unique_fd>(memfd_create("simulated", MFD_CLOEXEC));
  if (ftruncate(file->get(), static_cast<off_t>(bytes)) != 0)
    return nullptr;
  return file;
}

std::string path_of(const file_ptr& file) {
  return fmt::format("/proc/self/fd/{}", file->get());
}

page_places places_in(const file_ptr& flat, uint64_t bytes) {
  auto result = page_places{};
  for (uint64_t at = 0; at < bytes; at += guest_page_bytes)
    result.push_back({flat, at});
  return result;
}

page_places overlay(page_places base,
                    const std::map<uint64_t, page_place>& changed) {
  for (const auto& [address, place] : changed)
    base.at(address / guest_page_bytes) = place;
  return base;
}

memory_layout layout_of(const page_places& places, const file_ptr& flat) {
  auto result = memory_layout{.bytes = places.size() * guest_page_bytes,
                              .files = {path_of(flat)}};
  auto files = std::map<file_ptr, std::size_t>{{flat, 0}};
  uint64_t address = 0;
  for (const auto& place : places) {
    auto segment = memory_segment{
      .address = address, .bytes = guest_page_bytes, .offset = place.offset};
    if (place.file) {
      const auto [known, is_new] = files.try_emplace(place.file, files.size());
      if (is_new)
        result.files.push_back(path_of(place.file));
      segment.file = known->second;
    }
    address += guest_page_bytes;
    auto& all = result.segments;
    const bool goes_on =
      !all.empty() && all.back().file == segment.file
      && (!segment.file
          || all.back().offset + all.back().bytes == segment.offset);
    if (goes_on)
      all.back().bytes += guest_page_bytes;
    else
      all.push_back(segment);
  }
  return result;
}

memory_image_ptr image_of(page_places places) {
  return std::make_shared<places_image>(std::move(places));
}

file_ptr flatten(const page_places& places) {
  auto result = make_file(places.size() * guest_page_bytes);
  auto page = page_bytes{};
  uint64_t address = 0;
  for (const auto& place : places) {
    if (!read_page(place, page) || !write_page(result, address, page))
      return nullptr;
    address += guest_page_bytes;
  }
  return result;
}

status simulated_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  for (; !bytes.empty(); bytes = bytes.subspan(guest_page_bytes)) {
    const auto offset = flat_ ? address : end_;
    if (auto good = write_page(file_, offset, bytes.first(guest_page_bytes));
        !good)
      return good;
    changed_[address] = {file_, offset};
    end_ += guest_page_bytes;
    written_ += guest_page_bytes;
    address += guest_page_bytes;
  }
  return {};
}

status simulated_sink::zero(memory_range range) {
  const auto zeros = page_bytes{};
  for (auto at = range.begin; at < range.end; at += guest_page_bytes) {
    if (flat_)
      if (auto good = write_page(file_, at, zeros); !good)
        return good;
    changed_[at] = {};
  }
  return {};
}

} // namespace forkfleet::test
