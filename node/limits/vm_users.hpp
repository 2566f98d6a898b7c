// SPDX-License-Identifier: Apache-2.0
// Users of the host for one node's VMs, each its own, so that no VM's process
// can reach what is another's. Who has which is written in the VMs'
// directories. Knows no CAF.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "actors/error.hpp"
#include "config/uid_range.hpp"

namespace forkfleet {

/// Why the VMs of this process can have no users of their own with files in
/// `data`; empty: they can. Leaves nothing.
std::string user_obstacle(const uid_range& range, const std::string& data);

/// Thread-safe.
class vm_users {
public:
  /// `parent` has the directories of the node's VMs. `obstacle` as of
  /// user_obstacle().
  vm_users(uid_range range, std::string parent, std::string obstacle);

  /// Gives the VM of that directory a user, or leaves it the one that it has.
  /// No directory in `parent` has it, and no process of this host. Does
  /// nothing where there is an obstacle. node_busy: all of them are taken.
  status claim(const std::string& directory);

  /// Which users VMs get, or why none.
  std::string describe() const;

private:
  const uid_range range_;
  const std::string parent_;
  const std::string obstacle_;
  std::mutex mutex_ = {};
};

} // namespace forkfleet
