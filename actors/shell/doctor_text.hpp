// SPDX-License-Identifier: Apache-2.0
// What doctor prints, and what it ends with.
#pragma once

#include <string>
#include <vector>

#include "actors/doctor_protocol.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/table.hpp"

namespace forkfleet::shell {

/// For people: a host a paragraph, its remedies beneath the checks.
std::string doctor_text(const std::vector<doctor_report>& reports,
                        const terminal& where);

/// findings when something is bad, failed when a host did not tell.
exit_code doctor_exit_code(const std::vector<doctor_report>& reports);

} // namespace forkfleet::shell
