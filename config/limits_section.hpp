// SPDX-License-Identifier: Apache-2.0
// The limits in the fleet file: what one VM may take of its host, what a host
// gives to its VMs together, and how far a lineage may grow. Knows no CAF.
#pragma once

#include <array>

#include "actors/limits_protocol.hpp"
#include "config/byte_size.hpp"

namespace forkfleet::config {

/// What one VM may take of its host. What is 0 is as the fleet says.
struct vm_limits_section {
  byte_size memory{0};
  uint64_t cpu_percent = 0;
  uint64_t pids = 0;
  byte_size read{0};
  byte_size write{0};

  sandbox_limits limits() const {
    return {memory.value, cpu_percent, pids, read.value, write.value};
  }
  friend bool operator==(const vm_limits_section&,
                         const vm_limits_section&) = default;
  static constexpr schema::about about{
    "vm_limits", "What one VM and its keeper may take of the host, by cgroup "
                 "v2. What is 0 is as the fleet's limits say; 0 there is "
                 "unlimited."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("memory", &vm_limits_section::memory,
            "memory.max: guest memory, QEMU's own, and the page cache of the "
            "images that it was first to read. At least 64MiB more than the "
            "guest's memory."),
      field("cpu_percent", &vm_limits_section::cpu_percent,
            "cpu.max, in percent of one processor; 5 to 25600."),
      field("pids", &vm_limits_section::pids,
            "pids.max: threads count as well; 16 to 1048576."),
      field("read", &vm_limits_section::read,
            "io.max: bytes a second read from the device of the data "
            "directory; at least 1MiB."),
      field("write", &vm_limits_section::write,
            "io.max: the same for what is written."),
    };
  }
};

/// What becomes of a VM whose limits cannot be enforced on its host.
enum class enforcement : uint8_t { best_effort, require };

constexpr auto enum_table(enforcement) {
  using enum enforcement;
  return std::to_array<schema::enum_entry<enforcement>>({
    {best_effort, "best-effort", "it runs, and its note tells"},
    {require, "require", "it is not started"},
  });
}

struct limits_section {
  enforcement enforce = enforcement::best_effort;
  vm_limits_section sandbox = {};
  byte_size memory_reserve{256ull << 20};
  uint64_t memory_overcommit = 100;
  uint64_t child_growth = 25;
  uint64_t children_per_snapshot = 0;
  uint64_t lineage_depth = 0;
  byte_size source_bytes{0};
  byte_size console{16ull << 20};

  friend bool operator==(const limits_section&,
                         const limits_section&) = default;
  static constexpr schema::about about{
    "limits", "What VMs may take of their hosts, and how far a lineage may "
              "grow."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("enforce", &limits_section::enforce,
            "best-effort or require: whether a VM runs where its limits "
            "cannot be enforced."),
      field("sandbox", &limits_section::sandbox,
            "Of every VM that has none of its own, also of children."),
      field("memory_reserve", &limits_section::memory_reserve,
            "Of each host's memory, never promised to VMs; at most 1TiB."),
      field("memory_overcommit", &limits_section::memory_overcommit,
            "As many percent of the rest are promised; 1 to 10000, 0: VMs are "
            "started without asking."),
      field("child_growth", &limits_section::child_growth,
            "As many percent of its guest's memory a child is promised beyond "
            "what it shares with its snapshot; 1 to 100."),
      field("children_per_snapshot", &limits_section::children_per_snapshot,
            "Sandboxes that there may be of one snapshot; 0: any number."),
      field("lineage_depth", &limits_section::lineage_depth,
            "Snapshots in a line from a declared sandbox; 0: any number."),
      field("source_bytes", &limits_section::source_bytes,
            "What all snapshots of one sandbox may take on the disk before "
            "one more is taken; 0B: any number."),
      field("console", &limits_section::console,
            "What is kept on the disk of each VM's console output, the last "
            "of it; 64KiB to 1GiB."),
    };
  }
};

} // namespace forkfleet::config
