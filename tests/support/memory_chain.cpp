// SPDX-License-Identifier: Apache-2.0
#include "tests/support/memory_chain.hpp"

#include <algorithm>
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"

namespace forkfleet::test {

namespace {

// The part of a segment within a range; no bytes when there is none.
memory_segment part_of(const memory_segment& x, memory_range range) {
  auto result = x;
  const auto begin = std::max(x.address, range.begin);
  const auto end = std::min(x.address + x.bytes, range.end);
  result.address = begin;
  result.bytes = begin < end ? end - begin : 0;
  result.offset = x.file ? x.offset + (begin - x.address) : 0;
  return result;
}

} // namespace

packed_sink::packed_sink(std::string path)
  : path_{std::move(path)}, file_{::open(path_.c_str(),
                                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                                         0600)} {
  REQUIRE(file_);
}

status packed_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  cut({address, address + bytes.size()});
  runs_[address] = {address, bytes.size(), std::size_t{0}, end_};
  auto done = write_at(file_.get(), bytes, end_, path_);
  end_ += bytes.size();
  return done;
}

status packed_sink::zero(memory_range range) {
  cut(range);
  runs_[range.begin] = {range.begin, range.bytes(), {}, 0};
  return {};
}

status packed_sink::expect(uint64_t) {
  return {};
}

// What comes later replaces what was there.
void packed_sink::cut(memory_range range) {
  auto at = runs_.upper_bound(range.begin);
  if (at != runs_.begin())
    --at;
  while (at != runs_.end() && at->first < range.end) {
    const auto old = at->second;
    const auto old_end = old.address + old.bytes;
    if (old_end <= range.begin) {
      ++at;
      continue;
    }
    at = runs_.erase(at);
    for (const auto keep :
         {memory_range{old.address, std::max(old.address, range.begin)},
          memory_range{std::min(old_end, range.end), old_end}})
      if (const auto part = part_of(old, keep); part.bytes > 0)
        runs_[part.address] = part;
    at = runs_.lower_bound(range.begin);
  }
}

memory_layout packed_sink::over(const memory_layout& base) const {
  auto result =
    memory_layout{.bytes = base.bytes, .files = base.files, .segments = {}};
  const auto mine = result.files.size();
  result.files.push_back(path_);
  uint64_t at = 0;
  auto add_base = [&](uint64_t end) {
    for (const auto& x : base.segments)
      if (const auto part = part_of(x, {at, end}); part.bytes > 0)
        result.segments.push_back(part);
  };
  for (const auto& [address, run] : runs_) {
    add_base(address);
    result.segments.push_back(run);
    if (run.file)
      result.segments.back().file = mine;
    at = address + run.bytes;
  }
  add_base(base.bytes);
  return result;
}

layout_image::layout_image(memory_layout layout) : layout_{std::move(layout)} {
  for (const auto& path : layout_.files) {
    files_.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(files_.back());
  }
}

status layout_image::read(uint64_t address, std::span<uint8_t> into) const {
  for (const auto& x : layout_.segments) {
    const auto part = part_of(x, {address, address + into.size()});
    const auto room =
      into.subspan(part.bytes > 0 ? part.address - address : 0, part.bytes);
    std::fill(room.begin(), room.end(), uint8_t{0});
    if (part.bytes > 0 && part.file)
      if (auto done = read_at(files_[*part.file].get(), room, part.offset,
                              layout_.files[*part.file]);
          !done)
        return done;
  }
  return {};
}

} // namespace forkfleet::test
