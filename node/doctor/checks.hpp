// SPDX-License-Identifier: Apache-2.0
// The single checks of doctor; each gives one or more, and never throws.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/doctor/examination.hpp"

namespace forkfleet::doctor {

using checks = std::vector<host_check>;

host_check ok(std::string_view name, std::string found);
host_check warn(std::string_view name, std::string found, std::string remedy);
host_check bad(std::string_view name, std::string found, std::string remedy);

/// The directory, or the nearest above it that there is.
std::string existing_place(const std::string& path);

/// Which memory changes the kernel can tell: as the preload library asks.
struct tracking_facts {
  bool has_userfaultfd = false; // in any of its ways
  std::string obstacle = {};    // to asynchronous write protection
};

/// Asked in a process of its own.
tracking_facts find_tracking();

/// Why QEMU cannot be run; else its path, and whether the preload library
/// is there.
struct qemu_program {
  std::string path = {};
  std::string obstacle = {};
  bool has_preload = false;
};
qemu_program find_qemu(const examination& what);

/// kvm, qemu, userfaultfd, capture.
checks check_machine(const examination& what);

/// confinement.
host_check check_confinement(const examination& what);

/// cgroups, nf_tables, namespaces.
checks check_surroundings(const examination& what);

/// data, descriptors, mappings, clock.
checks check_resources(const examination& what);

} // namespace forkfleet::doctor
