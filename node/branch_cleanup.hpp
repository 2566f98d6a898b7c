// SPDX-License-Identifier: Apache-2.0
// What is left to be done after a branch that did not come to its own end,
// whoever finds that out: the one place that decides it. Knows no CAF.
#pragma once

#include "node/branch_run.hpp"

namespace forkfleet {

/// Whether the guest may still stand because of the branch.
enum class guest_after : uint8_t {
  runs,      // seen to run, or never asked to stop
  may_stand, // not known: it is resumed first of all
};

/// Ends a branch whose `result.report` says why it failed. The guest is resumed
/// by `until` if it may stand; guest_stuck when it could not. If its snapshot
/// was sealed before that, the branch succeeded: the report says so, and the
/// result has the snapshot. Otherwise nothing of it stays. The driver's capture
/// is given up in any case: what it took is part of the next one.
void clean_up_branch(const branch_context& context, guest_after guest,
                     deadline_point until, branch_result& result);

/// The report of a branch that ended without one of its own, for
/// `clean_up_branch`.
branch_report report_of_failed(const branch_context& context,
                               const branch_request& request, failure why);

} // namespace forkfleet
