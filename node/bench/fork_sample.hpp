// SPDX-License-Identifier: Apache-2.0
// What `bench fork` measures: one record a child, and what this host held
// between cycles of children that were started and killed. Structs only;
// knows no CAF.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/schema/fields.hpp"

namespace forkfleet::bench {

using std::chrono::microseconds;

/// One child of the branch point. Times are from the request for it.
struct fork_sample {
  std::string driver = {};
  uint64_t number = 0;         // from 1
  microseconds started{0};     // its VM ran
  microseconds ready{0};       // 0: it never was
  uint64_t branch_counter = 0; // of the guest, at or just before the branch
  uint64_t first_counter = 0;  // the first that was heard of the child
  bool counts_on = false;      // from the branch point, and further
  std::string identity = {};   // its own; empty: none
  std::string entropy = {};    // what it drew after it was seeded anew
  uint64_t pss_bytes = 0;      // its share of all memory that it maps
  uint64_t own_bytes = 0;      // of that what is not in a file: its own pages
  std::string remark = {};     // what went wrong

  friend bool operator==(const fork_sample&, const fork_sample&) = default;
  static constexpr schema::about about{"fork_sample",
                                       "One child of a branch point."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("driver", &fork_sample::driver, "simulated or qemu."),
      field("number", &fork_sample::number, "Of this driver."),
      field("started_us", &fork_sample::started, "Until its VM ran."),
      field("ready_us", &fork_sample::ready,
            "Until it acknowledged its identity; a simulated one, until it "
            "had counted."),
      field("branch_counter", &fork_sample::branch_counter,
            "The guest's count at or just before the branch."),
      field("first_counter", &fork_sample::first_counter,
            "The first count that was heard of the child."),
      field("counts_on", &fork_sample::counts_on,
            "Whether it goes on from the branch point."),
      field("identity", &fork_sample::identity, "What only it has."),
      field("entropy", &fork_sample::entropy,
            "Random bytes that its kernel drew after it was seeded anew; a "
            "simulated one has none."),
      field("pss_bytes", &fork_sample::pss_bytes,
            "Its proportional share of the memory that it maps, when all of "
            "them ran."),
      field("own_bytes", &fork_sample::own_bytes,
            "Of that what is beyond the image and other files."),
      field("remark", &fork_sample::remark, "What went wrong."),
    };
  }
};

using fork_samples = std::vector<fork_sample>;

/// What there was of ours on this host after so many cycles.
struct host_reading {
  uint64_t cycles = 0;
  uint64_t processes = 0;    // of the work directory, and ended ones of ours
  uint64_t descriptors = 0;  // open in this process
  uint64_t entries = 0;      // in the work directory, snapshots aside
  uint64_t namespaces = 0;   // network namespaces on the host
  uint64_t memory_bytes = 0; // this process' own pages

  friend bool operator==(const host_reading&, const host_reading&) = default;
  static constexpr schema::about about{
    "host_reading", "What there was of ours between two cycles."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("cycles", &host_reading::cycles, "Done until then."),
      field("processes", &host_reading::processes,
            "That work in the VMs' directory, or ended and were not waited "
            "for."),
      field("descriptors", &host_reading::descriptors, "Open in this process."),
      field("entries", &host_reading::entries,
            "Files, sockets and directories of VMs."),
      field("namespaces", &host_reading::namespaces,
            "Network namespaces of the host."),
      field("memory_bytes", &host_reading::memory_bytes,
            "This process' own pages."),
    };
  }
};

} // namespace forkfleet::bench
