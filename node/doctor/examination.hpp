// SPDX-License-Identifier: Apache-2.0
// doctor: what this host can do for its VMs, what it cannot, why, and what
// helps. Every check asks the kernel, or the program; none only looks at a
// version. Blocks, for some seconds at most. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/doctor_protocol.hpp"
#include "config/uid_range.hpp"

namespace forkfleet::doctor {

/// What is to be examined.
struct examination {
  std::string data = {};   // the data directory, or where it is going to be
  std::string cgroup = {}; // as in the fleet file
  uid_range users = {};
  std::string qemu = {}; // empty: qemu-system-x86_64 in $PATH
};

/// All checks, in the order in which a person should read them. Texts are no
/// longer than check_text_max. Leaves nothing behind.
std::vector<host_check> examine(const examination& what);

/// Why VMs get no users of their own; empty: they do.
std::string own_user_obstacle(const examination& what);

/// In one line: what keeps a VM's process from this host, and what cannot, and
/// why.
std::string confinement_text(const examination& what);

} // namespace forkfleet::doctor
