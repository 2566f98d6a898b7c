// SPDX-License-Identifier: Apache-2.0
// Asks a running QEMU what it is made of: its memory, its devices and what its
// disks do. Devices come and go, so it is asked before each branch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/qemu/qmp_client.hpp"
#include "node/qemu/vm_inventory.hpp"

namespace forkfleet::qemu {

/// What a VM is known to be, to compare with what it is.
struct survey_plan {
  std::string memory_block = {}; // which a child is given; empty: any
  /// What a child of an attached VM is started with; a VM that forkfleet
  /// started itself has the same.
  std::vector<std::string> child_arguments = {};
  bool attached = false;
};

/// What was found, and where.
struct survey {
  vm_facts facts = {};       // but `memory` and `is_child`
  uint64_t memory_begin = 0; // the main memory's address in QEMU; 0: unknown
};

/// Asks. An answer that is missing or not understood is an error: what cannot
/// be looked at is not known. Errors of QMP pass through.
expected<survey> survey_vm(qmp_client& qmp, const survey_plan& plan,
                           deadline_point until);

/// The names in QEMU's text about its memory blocks. vmm_refused when it is
/// not such a text.
expected<std::vector<std::string>> parse_ram_blocks(std::string_view text);

/// The types of network backends in the text of `info network`, NICs left
/// out. vmm_refused: the text is not understood.
expected<std::vector<std::string>> parse_netdevs(std::string_view text);

/// The address in QEMU's text about a guest address; 0 when there is none.
uint64_t parse_host_address(std::string_view text);

} // namespace forkfleet::qemu
