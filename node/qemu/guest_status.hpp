// SPDX-License-Identifier: Apache-2.0
// Where a guest stands, in QEMU's words and in ours.
#pragma once

#include <string>
#include <string_view>

#include "node/qemu/qmp_client.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// QEMU's word for the guest's state, such as `running`. Connects again when
/// the connection was lost before.
expected<std::string> query_guest(qmp_client& qmp, deadline_point until);

/// The same in our words.
vmm_health health_of(std::string_view status);

/// Whether it only stands, for no reason of its own, so that `cont` is right.
bool is_resumable(std::string_view status);

} // namespace forkfleet::qemu
