// SPDX-License-Identifier: Apache-2.0
// Devices whose work on guest memory no tracker sees.
#pragma once

#include <string>
#include <string_view>

#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// Why a device of this QOM type keeps memory from being tracked; empty when
/// it does not. Pure.
std::string obstacle_of_device(std::string_view type);

/// Asks a VM for its devices: why its changes cannot be tracked; empty when
/// they can.
expected<std::string> tracking_obstacle(qmp_client& qmp, deadline_point until);

} // namespace forkfleet::qemu
