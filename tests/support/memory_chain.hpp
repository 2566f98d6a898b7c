// SPDX-License-Identifier: Apache-2.0
// Diffs of guest memory without a store: a sink that packs what it is given
// into a file, the layout of a chain of such files, and its reader.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "actors/unique_fd.hpp"
#include "node/memory_image.hpp"

namespace forkfleet::test {

/// Packs pages into a file, in the order in which they come.
class packed_sink : public memory_sink {
public:
  /// Makes the file; the test fails when it cannot.
  explicit packed_sink(std::string path);

  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;
  status expect(uint64_t bytes) override;
  uint64_t written_bytes() const override { return end_; }

  /// This diff over the layout of its base.
  memory_layout over(const memory_layout& base) const;

private:
  void cut(memory_range range);

  std::string path_;
  unique_fd file_;
  uint64_t end_ = 0;
  std::map<uint64_t, memory_segment> runs_ = {}; // file 0; without: zeros
};

/// Reads memory through its layout.
class layout_image : public memory_image {
public:
  explicit layout_image(memory_layout layout);

  uint64_t bytes() const override { return layout_.bytes; }
  status read(uint64_t address, std::span<uint8_t> into) const override;

private:
  memory_layout layout_;
  std::vector<unique_fd> files_ = {};
};

} // namespace forkfleet::test
