// SPDX-License-Identifier: Apache-2.0
// The user that a VM's process takes. It is the group of the VM's directory,
// which that user may search and not write: so it is known as long as there is
// anything of the VM. What the VM may open while it runs is given to it file by
// file. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"

namespace forkfleet::qemu {

/// Users below this one are the host's.
inline constexpr uint32_t vm_uid_least = 65536;

/// The user of the VM of this directory; 0: it has none of its own.
uint32_t vm_uid_of(const std::string& directory) noexcept;

/// Makes the directory that of a VM with this user.
status set_vm_uid(const std::string& directory, uint32_t uid);

/// Lets the VM of the directory that `path` lies in write the file, which
/// nobody else could have made there.
status give_to_vm(const std::string& path);

/// Lets it read the file, and no more: also every other VM that has a name
/// of it in its own directory.
status share_with_vm(const std::string& path);

} // namespace forkfleet::qemu
