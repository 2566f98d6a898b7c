// SPDX-License-Identifier: Apache-2.0
// The driver `firecracker` of the fleet file: starts VMs under a keeper,
// attaches to those of others by their API socket, restores children of
// snapshots, and finds its VMs again after the node's own death. Not yet run on
// a host with KVM. Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "node/driver.hpp"
#include "node/firecracker/proven_snapshots.hpp"
#include "node/firecracker/vm_launch.hpp"
#include "node/host_pauses.hpp"

namespace forkfleet {

/// Where a node finds what it needs to run Firecracker. Empty paths are
/// looked up.
struct firecracker_driver_settings {
  std::string firecracker = {};
  std::string keeper = {};
  /// Where snapshots are written while a guest stands, when it is on tmpfs.
  /// Empty: $FORKFLEET_FAST_DIRECTORY, else /dev/shm.
  std::string fast_directory = {};
};

/// Starts and finds VMs of Firecracker. Thread-safe.
class firecracker_driver : public vmm_driver {
public:
  explicit firecracker_driver(firecracker_driver_settings settings);

  std::string name() const override { return "firecracker"; }
  expected<vmm_ptr> start(const start_plan& plan,
                          deadline_point until) override;
  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override;
  status clear(const std::string& directory, deadline_point until) override;

private:
  status prove(const firecracker::launched& vm, const start_plan& plan,
               deadline_point until);
  expected<vmm_ptr> make(const start_plan& plan, deadline_point until);
  expected<vmm_ptr> attach(const start_plan& plan, deadline_point until);

  const firecracker_driver_settings settings_;
  const host_pauses_ptr pauses_ = std::make_shared<host_pauses>();
  firecracker::proven_snapshots proven_ = {};
};

} // namespace forkfleet
