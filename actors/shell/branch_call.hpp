// SPDX-License-Identifier: Apache-2.0
// Asks for a branch until it is known how it ended: an answer that was lost
// is asked for by the operation's id. Pure: is given the calls and the time.
#pragma once

#include <chrono>
#include <functional>

#include "actors/branch_protocol.hpp"

namespace forkfleet::shell {

/// How the fleet is asked, and how time passes.
struct branch_calls {
  using time_point = std::chrono::steady_clock::time_point;

  std::function<expected<branch_report>(const branch_request&, milliseconds)>
    branch;
  std::function<expected<operation_status>(const operation_query&,
                                           milliseconds)>
    query;
  std::function<time_point()> now;
  std::function<void(milliseconds)> wait;
};

/// The branch's report, or why it never started. While the fleet says that
/// nobody knows (group 30), asks by id, and sends the same request again
/// when it is unknown there: one id never pauses the guest twice. After
/// `limit` the error is deadline_exceeded and names the operation, whose id
/// must not be empty.
expected<branch_report> branch_until_known(const branch_request& request,
                                           milliseconds limit,
                                           const branch_calls& calls);

} // namespace forkfleet::shell
