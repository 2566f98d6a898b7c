// SPDX-License-Identifier: Apache-2.0
// Pure: what is written into the cgroup of a VM for its limits, and where
// cgroups are by what /proc tells.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/ids.hpp"
#include "actors/limits_protocol.hpp"

namespace forkfleet {

/// One file of a cgroup, the controller that it belongs to, and its text.
struct cgroup_setting {
  std::string controller = {};
  std::string file = {};
  std::string text = {};

  friend bool operator==(const cgroup_setting&,
                         const cgroup_setting&) = default;
};

/// What enforces `limits`. `device` is MAJOR:MINOR for io.max.
std::vector<cgroup_setting> settings_for(const sandbox_limits& limits,
                                         const std::string& device);

/// Where cgroup v2 is mounted, by the text of /proc/self/mountinfo; empty:
/// it is not.
std::string cgroup_mount(std::string_view mountinfo);

/// The cgroup v2 of a process below the mount, by its /proc/PID/cgroup; "/"
/// is the root, empty: it has none.
std::string cgroup_of(std::string_view text);

/// The words of cgroup.controllers.
std::vector<std::string> words_in(std::string_view text);

/// What the cgroups of one node begin with: others have the same parent.
std::string cgroup_prefix(std::string_view data);

/// The sandbox of a cgroup with that prefix; empty: it is another node's.
sandbox_id sandbox_of_cgroup(std::string_view name, std::string_view prefix);

/// Why the limits of a child cannot be taken; empty: they can.
std::string wrong_limit(const sandbox_limits& limits);

} // namespace forkfleet
