// SPDX-License-Identifier: Apache-2.0
// Memory that knows what it should hold: how the example guest finds out
// that a snapshot it was restored from is torn or stale.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace forkfleet::guest {

constexpr size_t page_size = 4096;

/// The errors that the guest found in its memory: how many, and what the
/// first one was. Any thread may add one; `first` is whole, and does not change
/// any more, when `errors` is not 0.
struct findings {
  std::atomic<uint64_t> errors = 0;
  std::string first = {};

  /// Counts an error and keeps its text if it is the first.
  void add(const std::string& what);

private:
  std::mutex mutex_ = {};
};

/// The next number of a cheap generator; the state must not be 0.
uint64_t next_random(uint64_t& state);

/// What a page of the ring carries.
struct page_stamp {
  uint64_t index = 0;
  uint64_t round = 0;

  friend bool operator==(const page_stamp&, const page_stamp&) = default;
};

/// The stamp in the first word of a page; nothing if no ring of up to
/// 1048576 pages wrote that word.
std::optional<page_stamp> read_stamp(uint64_t word);

/// A ring of pages that is rewritten in turn. Each page carries its index
/// and the round of its last write in three places: its first, middle and
/// last words. Every page is checked before it is rewritten, and a sweep
/// that runs beside the writer checks the others.
class stamped_ring {
public:
  /// Stamps all pages for round 0. The pages belong to the caller, who keeps
  /// them as long as the ring lives; only whole pages are used.
  stamped_ring(std::span<std::byte> pages, findings& found);

  /// Checks and rewrites the next `count` pages.
  void write(size_t count);
  /// Checks the next `count` pages without changing them.
  void sweep(size_t count);

  size_t pages() const { return count_; }
  uint64_t sweeps() const { return sweeps_; }
  uint64_t pages_checked() const { return pages_checked_; }

private:
  std::array<uint64_t*, 3> places(size_t index) const;
  void stamp(size_t index, uint64_t round);
  void check(size_t index, uint64_t round, const char* when);

  std::byte* base_;
  size_t count_;
  findings& found_;
  size_t writer_ = 0;
  uint64_t round_ = 1; // of the pages before writer_; the others have one less
  size_t sweeper_ = 0;
  uint64_t sweeps_ = 0;
  uint64_t pages_checked_ = 0;
};

/// Words whose weighted sum is kept beside them. Each change moves an amount
/// between two far words and corrects the sum; a check adds everything up
/// again, a part at a time, and changes wait for its end.
class summed_region {
public:
  /// The words belong to the caller, who keeps them as long as the region
  /// lives. At least two words.
  summed_region(std::span<uint64_t> words, findings& found);

  /// Changes two words and the sum, unless a check is under way.
  void change();
  /// Checks the next `count` words. At the end of the region the sums are
  /// compared.
  void check(size_t count);

  uint64_t checks() const { return checks_; }

private:
  std::span<uint64_t> words_;
  findings& found_;
  uint64_t sum_ = 0;
  uint64_t dice_ = 1;
  size_t checked_ = 0;
  uint64_t partial_ = 0;
  uint64_t checks_ = 0;
};

} // namespace forkfleet::guest
