// SPDX-License-Identifier: Apache-2.0
// A flat image of a guest's memory in one file: each page at its address,
// neighbours in one write, zeros as holes where nothing was written before.
// Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/memory_image.hpp"

namespace forkfleet {

/// Writes into an open file that belongs to the caller and reads as zeros
/// at first. `path` is for messages.
class flat_sink final : public memory_sink {
public:
  flat_sink(int fd, std::string path) : fd_{fd}, path_{std::move(path)} {}

  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;
  /// The file has its space already.
  status expect(uint64_t) override { return {}; }
  uint64_t written_bytes() const override { return written_; }

private:
  bool was_written(memory_range range) const;
  void note_written(memory_range range);

  int fd_;
  std::string path_;
  uint64_t written_ = 0;
  std::vector<bool> pages_ = {}; // that were written
};

} // namespace forkfleet
