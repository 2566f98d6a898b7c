// SPDX-License-Identifier: Apache-2.0
// What one VM may take of its host. Structs only; knows no CAF.
#pragma once

#include <cstdint>
#include <tuple>

#include "actors/schema/fields.hpp"

namespace forkfleet {

/// The limits of one VM with its keeper; 0 each: none.
struct sandbox_limits {
  uint64_t memory_bytes = 0;
  uint64_t cpu_percent = 0;
  uint64_t pids = 0;
  uint64_t read_bytes = 0;
  uint64_t write_bytes = 0;

  bool empty() const { return *this == sandbox_limits{}; }
  friend bool operator==(const sandbox_limits&,
                         const sandbox_limits&) = default;
  static constexpr schema::about about{"sandbox_limits",
                                       "What one VM may take of its host."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("memory_bytes", &sandbox_limits::memory_bytes,
            "Of memory, with QEMU's own and page cache; 0: no limit."),
      field("cpu_percent", &sandbox_limits::cpu_percent,
            "Of one processor; 0: no limit."),
      field("pids", &sandbox_limits::pids,
            "Processes and threads; 0: no limit."),
      field("read_bytes", &sandbox_limits::read_bytes,
            "Read from the data's device in a second; 0: no limit."),
      field("write_bytes", &sandbox_limits::write_bytes,
            "Written to it in a second; 0: no limit."),
    };
  }
};

/// What `over` says, and for what it leaves out what `under` says.
constexpr sandbox_limits merge(const sandbox_limits& over,
                               const sandbox_limits& under) {
  const auto either = [](uint64_t x, uint64_t y) { return x != 0 ? x : y; };
  return {either(over.memory_bytes, under.memory_bytes),
          either(over.cpu_percent, under.cpu_percent),
          either(over.pids, under.pids),
          either(over.read_bytes, under.read_bytes),
          either(over.write_bytes, under.write_bytes)};
}

/// The least that a VM can be limited to.
inline constexpr uint64_t limited_memory_min = 64ull << 20;
inline constexpr uint64_t limited_cpu_min = 5;
inline constexpr uint64_t limited_cpu_max = 25600;
inline constexpr uint64_t limited_pids_min = 16;
inline constexpr uint64_t limited_pids_max = 1u << 20;
inline constexpr uint64_t limited_rate_min = 1u << 20;

} // namespace forkfleet
