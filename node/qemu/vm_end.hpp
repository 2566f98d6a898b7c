// SPDX-License-Identifier: Apache-2.0
// How a VM ended, in people's words: by what its VMM told last, by what its
// keeper wrote down, and by what its guest printed. For notes and logs; nothing
// is decided by it.
#pragma once

#include <optional>
#include <string>

#include "node/qemu/process.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// What an end is told by. Any part may be missing.
struct end_witness {
  std::optional<qmp_event> shutdown = {}; // QEMU's SHUTDOWN event
  std::string directory = {};             // the VM's own
  process_id process = {};
  std::string log = "qemu.log"; // of its VMM, in that directory
};

/// Such as "its guest powered off", "its VMM was killed by signal 9 (SIGKILL)"
/// or "its VMM exited with status 1: " and the end of its log. Bounded, and
/// printable whatever the guest wrote.
std::string describe_end(const end_witness& seen);

/// What QEMU's word for the reason of a shutdown means.
std::string describe_reason(const std::string& reason);

} // namespace forkfleet::qemu
