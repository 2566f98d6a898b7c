// SPDX-License-Identifier: Apache-2.0
#include "node/storage/layered_image.hpp"

#include <algorithm>
#include <fcntl.h>

#include "node/storage/file.hpp"
#include "node/storage/overlay.hpp"

namespace forkfleet {

namespace {

tl::unexpected<failure> too_much(const image_chain& chain, std::size_t number,
                                 const char* of_what, std::size_t most) {
  const auto& path =
    chain.diff_paths.empty() ? chain.flat_path : chain.diff_paths.back();
  return fail(ec::unsupported, path + " lies over " + std::to_string(number)
                                 + " " + of_what + ", at most "
                                 + std::to_string(most) + "; flatten it");
}

expected<unique_fd> open_flat(const image_chain& chain) {
  auto fd = open_file(chain.flat_path, O_RDONLY | O_NONBLOCK);
  if (!fd)
    return fd;
  const auto size = file_size(fd->get(), chain.flat_path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  if (*size != chain.memory_bytes)
    return fail(ec::snapshot_corrupt, chain.flat_path + " has "
                                        + std::to_string(*size)
                                        + " bytes where the guest has "
                                        + std::to_string(chain.memory_bytes));
  return fd;
}

} // namespace

expected<std::shared_ptr<const layered_image>>
layered_image::open(const image_chain& chain) {
  if (chain.diff_paths.size() > depth_max)
    return too_much(chain, chain.diff_paths.size(), "diffs", depth_max);
  const std::shared_ptr<layered_image> result{new layered_image};
  auto flat = open_flat(chain);
  if (!flat)
    return tl::unexpected<failure>(flat.error());
  result->flat_ = std::move(*flat);
  result->layout_ = {.bytes = chain.memory_bytes,
                     .files = {chain.flat_path},
                     .segments = flat_segments(chain.memory_bytes)};
  auto& layout = result->layout_;
  for (const auto& path : chain.diff_paths) {
    auto diff = open_diff(path);
    if (!diff)
      return tl::unexpected<failure>(diff.error());
    if (diff->table.memory_bytes != chain.memory_bytes)
      return fail(ec::snapshot_corrupt,
                  path + " is of a guest of "
                    + std::to_string(diff->table.memory_bytes) + " bytes");
    layout.segments =
      overlay(layout.segments, diff->table.runs, layout.files.size());
    if (layout.segments.size() > segments_max)
      return too_much(chain, layout.segments.size(), "segments", segments_max);
    layout.files.push_back(path);
    result->diffs_.push_back(std::move(*diff));
  }
  return result;
}

int layered_image::fd(std::size_t file) const {
  return file == 0 ? flat_.get() : diffs_[file - 1].fd.get();
}

status layered_image::read(uint64_t address, std::span<uint8_t> into) const {
  if (address > layout_.bytes || into.size() > layout_.bytes - address)
    return fail(ec::invalid_request, "bytes " + std::to_string(address) + " to "
                                       + std::to_string(address + into.size())
                                       + " are outside of the memory of "
                                       + layout_.files.back());
  auto segment = std::ranges::upper_bound(layout_.segments, address, {},
                                          &memory_segment::address);
  while (!into.empty()) {
    const auto& from = *std::prev(segment);
    const auto skipped = address - from.address;
    const auto part =
      into.first(std::min<uint64_t>(into.size(), from.bytes - skipped));
    if (!from.file)
      std::ranges::fill(part, uint8_t{0});
    else if (auto done = read_at(fd(*from.file), part, from.offset + skipped,
                                 layout_.files[*from.file]);
             !done)
      return done;
    into = into.subspan(part.size());
    address += part.size();
    ++segment;
  }
  return {};
}

} // namespace forkfleet
