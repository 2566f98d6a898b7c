// SPDX-License-Identifier: Apache-2.0
// Pages that do not only get new content: how the example guest finds out
// that a snapshot holds what a page was before it was zeroed, freed or given
// another page's content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "examples/guest/memory.hpp"

namespace forkfleet::guest {

/// Pages that are filled, zeroed, given back to the kernel, taken again and
/// exchanged, in a random order. What each should hold stands in a table
/// beside them; each is compared before it is changed, and by a sweep.
class churned_pages {
public:
  /// The pages are anonymous memory of the caller's and hold zeros; they are
  /// kept as long as this lives. At least two; only whole pages are used.
  churned_pages(std::span<std::byte> pages, findings& found);

  /// Changes so many pages.
  void change(size_t count);

  /// Compares the next `count` pages.
  void sweep(size_t count);

  size_t pages() const { return tokens_.size(); }
  uint64_t changes() const { return changes_; }
  uint64_t sweeps() const { return sweeps_; }

private:
  std::span<uint64_t> words(size_t page) const;
  void fill(size_t page);
  void zero(size_t page);
  void free(size_t page);
  void exchange(size_t page, size_t other);
  void compare(size_t page, const char* when);

  std::byte* base_;
  findings& found_;
  std::vector<uint64_t> tokens_; // by page: of its content; 0: zeros
  uint64_t dice_ = 0x2545f4914f6cdd1d;
  size_t sweeper_ = 0;
  uint64_t sweeps_ = 0;
  uint64_t changes_ = 0;
};

} // namespace forkfleet::guest
