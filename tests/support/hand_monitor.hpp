// SPDX-License-Identifier: Apache-2.0
// A third way into a QEMU of ours: a test asks it what no driver does.
#pragma once

#include <string>

#include "node/qemu/qmp_client.hpp"
#include "tests/support/vm_fixture.hpp"

namespace forkfleet::test {

/// Gives the VM of this plan a socket of its own, and its children, too.
void add_hand_monitor(start_plan& plan);

/// Connects to that of the VM that was started from `plan`.
std::unique_ptr<qemu::qmp_client> hand_monitor(const std::string& directory);

/// What QEMU's monitor says to this line.
std::string ask_monitor(qemu::qmp_client& qmp, const std::string& line);

} // namespace forkfleet::test
