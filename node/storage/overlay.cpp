// SPDX-License-Identifier: Apache-2.0
#include "node/storage/overlay.hpp"

#include <algorithm>

namespace forkfleet {

namespace {

bool goes_on(const memory_segment& last, const memory_segment& next) {
  return last.address + last.bytes == next.address && last.file == next.file
         && (!last.file || last.offset + last.bytes == next.offset);
}

void push(std::vector<memory_segment>& to, const memory_segment& next) {
  if (next.bytes == 0)
    return;
  if (!to.empty() && goes_on(to.back(), next))
    to.back().bytes += next.bytes;
  else
    to.push_back(next);
}

/// Copies what lies below, piece by piece, upwards only.
class below_cursor {
public:
  explicit below_cursor(std::span<const memory_segment> below)
    : below_{below} {}

  /// Appends what lies below from the cursor to `end`.
  void copy_to(uint64_t end, std::vector<memory_segment>& to) {
    while (at_ < end && !below_.empty()) {
      auto part = below_.front();
      const auto skipped = at_ - part.address;
      const auto stop = std::min(end, part.address + part.bytes);
      part.address = at_;
      part.bytes = stop - at_;
      if (part.file)
        part.offset += skipped;
      push(to, part);
      move_to(stop);
    }
  }

  void move_to(uint64_t address) {
    at_ = address;
    while (!below_.empty()
           && below_.front().address + below_.front().bytes <= at_)
      below_ = below_.subspan(1);
  }

private:
  std::span<const memory_segment> below_;
  uint64_t at_ = 0;
};

} // namespace

std::vector<memory_segment> flat_segments(uint64_t memory_bytes) {
  return {{.bytes = memory_bytes, .file = 0}};
}

std::vector<memory_segment> overlay(std::span<const memory_segment> below,
                                    std::span<const diff_run> runs,
                                    std::size_t file) {
  std::vector<memory_segment> result;
  result.reserve(below.size() + 2 * runs.size());
  below_cursor rest{below};
  for (const auto& run : runs) {
    rest.copy_to(run.address, result);
    memory_segment own{.address = run.address, .bytes = run.bytes};
    if (!run.is_zeros()) {
      own.file = file;
      own.offset = run.offset;
    }
    push(result, own);
    rest.move_to(run.end());
  }
  if (!below.empty())
    rest.copy_to(below.back().address + below.back().bytes, result);
  return result;
}

} // namespace forkfleet
