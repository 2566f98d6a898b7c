// SPDX-License-Identifier: Apache-2.0
// A snapshot's memory in the test's own: a sink to capture into, an image to
// read from, and one may lie over another, as a diff lies over its base.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "node/memory_image.hpp"

namespace forkfleet::test {

/// What was captured, page by page. Pages that nobody spoke of are those of
/// the base, or zeros.
class captured_memory : public memory_sink, public memory_image {
public:
  explicit captured_memory(uint64_t bytes, memory_image_ptr base = {})
    : bytes_{bytes}, base_{std::move(base)} {}

  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;
  status expect(uint64_t bytes) override;
  uint64_t written_bytes() const override { return written_; }

  uint64_t bytes() const override { return bytes_; }
  status read(uint64_t address, std::span<uint8_t> into) const override;

  /// After so many bytes the disk is full; `is_foretold`: who says before
  /// how much it will write is told.
  void fail_after(uint64_t bytes, bool is_foretold = true) {
    room_ = bytes;
    is_foretold_ = is_foretold;
  }
  /// How many pages were spoken of.
  std::size_t pages() const { return pages_.size(); }

private:
  status take(uint64_t address, uint64_t bytes);

  uint64_t bytes_;
  memory_image_ptr base_;
  uint64_t written_ = 0;
  uint64_t room_ = ~uint64_t{0};
  bool is_foretold_ = true;
  std::map<uint64_t, std::vector<uint8_t>> pages_ = {}; // empty: zeros
};

using captured_memory_ptr = std::shared_ptr<captured_memory>;

} // namespace forkfleet::test
