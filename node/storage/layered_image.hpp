// SPDX-License-Identifier: Apache-2.0
// The memory of a snapshot out of its chain: a flat image, and diffs over it.
// Nothing is assembled: every read goes to the file that has the page. Knows
// no CAF.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/storage/diff_file.hpp"

namespace forkfleet {

/// The files of a chain.
struct image_chain {
  uint64_t memory_bytes = 0;
  std::string flat_path = {};
  std::vector<std::string> diff_paths = {}; // the oldest first
};

/// An open chain. Thread-safe after it was opened.
class layered_image final : public memory_image {
public:
  /// A chain of more diffs, or of more segments, is refused as unsupported;
  /// it has to be flattened.
  static constexpr std::size_t depth_max = 256;
  static constexpr std::size_t segments_max = 1u << 24;

  /// io_failed; snapshot_corrupt names the file and the place. That each
  /// diff belongs over the one before is the caller's to check.
  static expected<std::shared_ptr<const layered_image>>
  open(const image_chain& chain);

  uint64_t bytes() const override { return layout_.bytes; }
  status read(uint64_t address, std::span<uint8_t> into) const override;

  const memory_layout& layout() const { return layout_; }
  /// The open files of the layout, and the diffs among them.
  int fd(std::size_t file) const;
  std::span<const diff_file> diffs() const { return diffs_; }

private:
  layered_image() = default;

  memory_layout layout_ = {};
  unique_fd flat_ = {};
  std::vector<diff_file> diffs_ = {};
};

} // namespace forkfleet
