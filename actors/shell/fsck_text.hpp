// SPDX-License-Identifier: Apache-2.0
// What fsck found, for people, and what a script makes of it. Pure.
#pragma once

#include <string>
#include <vector>

#include "actors/fsck_protocol.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/table.hpp"

namespace forkfleet::shell {

/// A table of all items of all hosts, and a line each host.
std::string fsck_text(const std::vector<fsck_report>& reports,
                      const terminal& where);

/// `done` when all hosts are in order; `findings` when something is not, also
/// when it was just removed; else `failed` when a host was not looked at.
exit_code fsck_exit_code(const std::vector<fsck_report>& reports);

} // namespace forkfleet::shell
