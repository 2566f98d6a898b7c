// SPDX-License-Identifier: Apache-2.0
// What a run of branches came to, in the format that was asked for.
#pragma once

#include <optional>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "actors/shell/session.hpp"

namespace forkfleet::shell {

struct branch_results {
  std::vector<branch_report> reports = {};
  /// The last one, when it never started or nobody knows how it ended.
  std::optional<failure> refused = {};
  /// Pauses of the same sandbox's branches up to a single report's own.
  std::vector<microseconds> earlier_pauses = {};
};

/// Prints the reports: one in full, or several as a table; in JSON one as an
/// object, several as a list that ends with what was refused. JSON lines
/// have been printed as the reports came, so nothing is left to do.
void print_branches(session& io, output_format format, const branch_results& x,
                    bool is_single);

} // namespace forkfleet::shell
