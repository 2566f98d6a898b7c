// SPDX-License-Identifier: Apache-2.0
// The keeper's log: lines in keeper.log of the VM's directory.
#pragma once

#include <string_view>

namespace forkfleet::keeper {

/// One line: the time, `event`, `detail`.
void log_line(std::string_view event, std::string_view detail);

} // namespace forkfleet::keeper
