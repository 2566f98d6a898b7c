// SPDX-License-Identifier: Apache-2.0
// Sees to it that a keeper guards a VM before its guest is paused: one that
// was stopped goes on, one that hangs or has ended is replaced, and where
// that cannot be done the branch is refused. QEMU's and Firecracker's VMs
// share it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "node/qemu/keeper_link.hpp"

namespace forkfleet::qemu {

/// How long a keeper that lives may take to answer.
inline constexpr auto keeper_answer_max = std::chrono::seconds{2};

/// After success `link` is a keeper that answered just now. What was done to
/// get there, if anything, is added to `warnings`. vmm_unreachable says why no
/// keeper can be had: the guest must not be paused then, as nobody would
/// resume it. Takes a few `keeper_answer_max` at most.
status see_to_keeper(std::optional<keeper_link>& link,
                     const keeper_command& replacement,
                     std::vector<std::string>& warnings);

} // namespace forkfleet::qemu
