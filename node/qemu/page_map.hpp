// SPDX-License-Identifier: Apache-2.0
// The page map of another process: which pages of a memory are its own, which
// were written since they were last armed. By PAGEMAP_SCAN of Linux 6.7.
#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"
#include "node/memory_image.hpp"

namespace forkfleet::qemu {

/// Which pages a scan finds.
enum class page_question : uint8_t {
  /// Those that the process has of its own: fresh memory that was touched,
  /// and pages of a private file mapping that differ from the file. Never
  /// those that only show a file.
  own,
  /// Of these, those written since they were armed or first touched.
  written,
};

/// A run of pages that a scan found.
struct page_run {
  memory_range range = {};
  bool is_zero = false; // they hold zeros, and need not be read
};

/// The page map of one process.
class page_map {
public:
  /// unsupported when it may not be read, or the kernel cannot scan it.
  static expected<page_map> open(pid_t pid);

  /// Finds pages in `bytes` from the address `begin` on; the runs are offsets
  /// from there. With `arms`, exactly what is found is armed in the same step;
  /// the memory must be registered for that. Sets `found`, which is reserved
  /// where nothing may be allocated. io_failed when the scan fails.
  status scan(uint64_t begin, uint64_t bytes, page_question question, bool arms,
              std::vector<page_run>& found) const;

private:
  explicit page_map(unique_fd fd) : fd_{std::move(fd)} {}

  unique_fd fd_;
};

} // namespace forkfleet::qemu
