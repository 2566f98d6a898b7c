// SPDX-License-Identifier: Apache-2.0
// The files of the host that a VM reads because its qemu_arguments name them.
// Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace forkfleet::qemu {

/// The absolute paths in the values of options whose files a guest gets to
/// see: images, firmware, tables. In order, each once. What is only written,
/// such as a log, is none of them. Options as of QEMU's manual page
/// qemu-system-x86_64(1).
std::vector<std::string>
files_of_arguments(std::span<const std::string> arguments);

} // namespace forkfleet::qemu
