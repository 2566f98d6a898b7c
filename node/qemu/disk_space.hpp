// SPDX-License-Identifier: Apache-2.0
// A guest that stands because a write to its disk found no space: QEMU keeps
// the write and tries it again when the guest is let go on.
#pragma once

#include <cstdint>
#include <string>

#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// As much must be free before such a guest is let go on: with less it would
/// stand again at once.
inline constexpr uint64_t guest_space_bytes = 16u << 20;

/// QEMU's word for the state of a guest whose disk failed it.
inline constexpr const char* disk_failed_state = "io-error";

/// Whether it was for want of space that the guest was stopped. Any other
/// failure is for a person to look at.
expected<bool> lacks_space(qmp_client& qmp, deadline_point until);

/// How many bytes more must be free in `directory`; 0: there is space.
expected<uint64_t> missing_space(const std::string& directory);

/// "disk full: PATH lacks 10 bytes; ...", what helps included.
std::string space_text(const std::string& directory, uint64_t missing);

} // namespace forkfleet::qemu
