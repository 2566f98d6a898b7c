// SPDX-License-Identifier: Apache-2.0
// How much memory a process accounts for, where it shares much of it. Source:
// proc_pid_smaps(5). Knows no CAF.
#pragma once

#include <cstdint>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet::bench {

/// Shares of a process, in bytes.
struct memory_use {
  uint64_t pss = 0; // each page divided by how many processes map it
  uint64_t own = 0; // of that what is in no file: private copies, heap

  friend bool operator==(const memory_use&, const memory_use&) = default;
};

/// What /proc/PID/smaps_rollup says. Pure.
expected<memory_use> parse_memory_use(std::string_view rollup);

/// Reads it; 0 is this process. io_failed names the file.
expected<memory_use> read_memory_use(int pid);

} // namespace forkfleet::bench
