// SPDX-License-Identifier: Apache-2.0
// The cgroups of one node's VMs, one for each that has limits: made before
// the VM, joined by its keeper, removed after it. Knows no CAF.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "config/limits_section.hpp"
#include "node/limits/cgroup_plan.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// The file of a data directory that names the parents of its cgroups, one a
/// line, so that they are found without their node.
inline constexpr const char* cgroup_places_file = "cgroups";

/// The parent of all cgroups of ours in the node's own.
inline constexpr const char* cgroup_parent = "forkfleet";

/// The cgroup that this process runs in, as a directory; empty: cgroup v2 is
/// not mounted.
std::string own_cgroup();

/// What was made for a VM.
struct made_cgroup {
  std::string path = {};       // empty: none
  std::string unenforced = {}; // which limits, and why; empty: all are
};

/// Thread-safe for different sandboxes.
class sandbox_cgroups {
public:
  /// `base` as in the fleet file's `cgroup`; empty: own_cgroup(). `data` is
  /// the node's data directory.
  sandbox_cgroups(std::string base, std::string data,
                  config::enforcement enforce);

  /// Where the cgroup of a sandbox is, whether it is there or not; empty
  /// when there is no cgroup v2. To be remembered before `make`.
  std::string path_of(const sandbox_id& id) const;

  /// Makes it, and writes its limits. One that is there is used. unsupported
  /// names what cannot be enforced, when it must be; nothing is left then.
  expected<made_cgroup> make(const sandbox_id& id,
                             const sandbox_limits& limits);

  /// Which controllers VMs can be limited by, or why none.
  std::string describe() const;

private:
  status note_place();
  std::string open_controller(const std::string& controller) const;
  std::string enforce_one(const std::string& path,
                          const cgroup_setting& setting) const;

  const std::string base_;
  const std::string data_;
  const std::string prefix_;
  const config::enforcement enforce_;
  std::mutex mutex_ = {};
  bool is_noted_ = false;
};

/// How long what a VM leaves behind may take to end by itself, and to end
/// when it is killed.
inline constexpr auto cgroup_patience = std::chrono::milliseconds{2000};
inline constexpr auto cgroup_limit = std::chrono::seconds{10};

/// What the names of a data directory's cgroups begin with, however the
/// directory was reached.
std::string cgroup_prefix_of(const std::string& data);

/// Removes a cgroup; what still runs in it is given `patience` to end, then
/// killed. Correct when there is none, or no path. Takes its parent along when
/// that is ours and empty.
status remove_cgroup(const std::string& path,
                     std::chrono::milliseconds patience, deadline_point until);

/// Whether the kernel has ended processes of this cgroup because it was at its
/// memory limit, in a sentence's words; empty when not, or when it cannot be
/// read.
std::string killed_for_memory(const std::string& path);

/// The parents of a data directory's cgroups, of all its node's lives; none
/// where none were noted. An error: it is not known where cgroups are.
expected<std::vector<std::string>> cgroup_places(const std::string& data);

} // namespace forkfleet
