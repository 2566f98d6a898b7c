// SPDX-License-Identifier: Apache-2.0
// The files of the host that a VM uses and that are no part of its snapshots.
// They are pinned when the VM begins to use them, and a child is started only
// while they are as they were. What did not change since is told by a look at
// its inode, so that a fork of many reads nothing; what was moved or copied is
// told by its SHA-256, which is remembered.
#pragma once

#include <string>
#include <vector>

#include "node/host_images.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// Larger files are not read: only their inode tells whether they changed.
inline constexpr uint64_t pinned_digest_max = uint64_t{1} << 30;

/// The file as it is now. invalid_request when it is no regular file.
expected<pinned_file> pin_file(std::string use, const std::string& path);

/// The file `path` is what was pinned; with `is_own` here, where its inode
/// tells, else on another host, where only its SHA-256 does. unsupported names
/// `path` when it is not; no hash is told.
status check_pin(const pinned_file& was, const std::string& path,
                 const std::string& snapshot, bool is_own);

/// The file of this host that has what was pinned, on whichever host that was.
/// unsupported when the fleet file names none.
expected<std::string> find_pinned(const pinned_file& was,
                                  const host_images& known,
                                  const std::string& snapshot);

} // namespace forkfleet::qemu
