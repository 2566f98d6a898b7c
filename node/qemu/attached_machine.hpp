// SPDX-License-Identifier: Apache-2.0
// The machine of a VM that somebody else started: asked over QMP, and where
// the fleet file is silent, read from its command line.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "config/fleet_file.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// The command line of a process; empty when it cannot be read.
std::vector<std::string> arguments_of_process(pid_t pid);

/// What a QEMU command line says of the guest's boot files and processor.
/// Relative paths start at `directory`. Pure.
machine read_command_line(const std::vector<std::string>& argv,
                          const std::string& directory);

/// The machine. What the section says of kernel, initrd and append holds
/// before what the command line says. unsupported for memory that was
/// plugged in later.
expected<machine> ask_machine(qmp_client& qmp,
                              const config::sandbox_section& spec,
                              deadline_point until);

} // namespace forkfleet::qemu
