// SPDX-License-Identifier: Apache-2.0
// One microVM as the fleet file asks for it and as a snapshot remembers it.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "config/fleet_file.hpp"
#include "node/firecracker/api.hpp"
#include "node/vmm.hpp"

namespace forkfleet::firecracker {

/// A VM's parts. A child takes them from its snapshot's device state; its
/// drives must lie where they lay.
struct microvm {
  boot_source boot = {};
  machine_config machine = {};
  std::vector<drive> drives = {};
  std::vector<pinned_file> files = {}; // the drives', as they were

  friend bool operator==(const microvm& a, const microvm& b) {
    return a.machine == b.machine && a.drives == b.drives && a.files == b.files
           && a.boot.kernel == b.boot.kernel && a.boot.initrd == b.boot.initrd
           && a.boot.arguments == b.boot.arguments;
  }
};

/// The VM that a section of the fleet file asks for, with tracking. What
/// Firecracker does not have is invalid_request.
expected<microvm> microvm_of(const config::sandbox_section& spec);

/// The VM as a contract, and back. What an unknown contract has too much is
/// unsupported, and named.
run_contract to_contract(const microvm& x, const std::string& version);
expected<microvm> from_contract(const run_contract& contract);

} // namespace forkfleet::firecracker
