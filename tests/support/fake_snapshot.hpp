// SPDX-License-Identifier: Apache-2.0
// The files of a snapshot as each version of Firecracker writes them: what is
// truncated, kept, merged and synced.
#pragma once

#include <string>

#include "node/firecracker/version_rules.hpp"
#include "node/simulated/machine.hpp"

namespace forkfleet::test {

/// The state file: the guest's device state first, then who wrote it.
struct fake_state {
  guest_state guest = {};
  std::string line = {}; // such as 1.12
  uint64_t vcpus = 1;
  std::string drives = {}; // JSON
};

/// Opens with truncation, writes, syncs. The error is what Firecracker says.
status write_state_file(const std::string& path, const fake_state& state);
expected<fake_state> read_state_file(const std::string& path);

/// Which pages, and how.
struct fake_dump {
  firecracker::vmm_version version = {};
  page_set pages = page_set{};
  bool is_full = false;
  uint64_t fails_after = ~uint64_t{0}; // bytes: then the disk is full
};

/// Writes the memory file by the rules of the version.
status write_memory_file(const std::string& path, simulated_machine& machine,
                         const fake_dump& dump);

} // namespace forkfleet::test
