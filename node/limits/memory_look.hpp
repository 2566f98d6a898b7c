// SPDX-License-Identifier: Apache-2.0
// What memory the VMs of a host take, and what the host can still give. Looks
// at each VM only so often: the kernel walks all of its pages. Knows no CAF.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "actors/ids.hpp"
#include "node/pause_gate.hpp"

namespace forkfleet {

/// What one VM takes.
struct memory_use {
  uint64_t shared_bytes = 0; // shared pages by their share: PSS
  uint64_t own_bytes = 0;    // of that, what is no page cache

  friend bool operator==(const memory_use&, const memory_use&) = default;
};

/// What is known of a host's memory.
struct memory_sample {
  bool is_known = false;
  uint64_t available_bytes = 0;
  std::map<sandbox_id, memory_use> vms = {};
};

/// Which process is a sandbox' VM.
using memory_targets = std::map<sandbox_id, uint64_t>;

/// Reads a smaps_rollup; nothing of a text that has no Pss.
memory_use use_in(std::string_view smaps_rollup);

/// What a cgroup, or a memory cgroup of version 1, may still take beyond what
/// could be reclaimed; the most there is without a limit.
uint64_t room_in(std::string_view limit, std::string_view usage,
                 std::string_view statistics);

/// The least room of the memory cgroups that this process is in, in all of
/// their levels.
uint64_t own_cgroup_room();

/// What the look needs of the host.
struct memory_sources {
  std::string processes = "/proc";
  std::function<uint64_t()> available = {};
  std::function<uint64_t()> cgroup_room = own_cgroup_room;
  pause_gate_ptr gate = {}; // while it is closed nothing is looked at
};

/// As many VMs are looked at in one go.
inline constexpr std::size_t looks_max = 32;

/// A VM is looked at again after this.
inline constexpr auto look_interval = std::chrono::seconds{5};

/// Remembers what it saw. One thread at a time.
class memory_look {
public:
  explicit memory_look(memory_sources sources);

  /// What the VMs in `targets` take: those longest not looked at anew, the
  /// others as they were.
  memory_sample take(const memory_targets& targets,
                     std::chrono::steady_clock::time_point now);

private:
  struct seen {
    uint64_t pid = 0;
    memory_use use = {};
    std::chrono::steady_clock::time_point at = {};
  };

  const memory_sources sources_;
  std::map<sandbox_id, seen> seen_ = {};
};

} // namespace forkfleet
