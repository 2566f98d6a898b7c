// SPDX-License-Identifier: Apache-2.0
// Reports of branches for people: every stage with its time, many branches
// in a table, pauses as a sparkline.
#pragma once

#include <string>
#include <vector>

#include "actors/fleet_protocol.hpp"
#include "actors/shell/table.hpp"

namespace forkfleet::shell {

/// One branch in full: what became of it, its stages, bytes and warnings.
std::string report_text(const branch_report& x, const terminal& where);

/// One line for each of several branches, with the stages that matter.
table report_table(const std::vector<branch_report>& reports, bool utf8);

/// "pause p50 1.42 ms  p90 1.66 ms  max 2.01 ms  ▅▆▅█" of a series; empty
/// for none.
std::string pause_summary(const std::vector<microseconds>& pauses, bool utf8);

/// The pauses of the branches of `sandbox` that ended well, in order, as
/// their events tell them.
std::vector<microseconds> pauses_in(const std::vector<fleet_event>& events,
                                    const sandbox_id& sandbox);

} // namespace forkfleet::shell
