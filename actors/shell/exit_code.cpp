// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/exit_code.hpp"

#include <algorithm>

namespace forkfleet::shell {

exit_code exit_code_of(ec code) {
  switch (code) {
    case ec::none:
      return exit_code::done;
    case ec::invalid_request:
      return exit_code::usage;
    case ec::unknown_sandbox:
    case ec::unknown_snapshot:
    case ec::unknown_operation:
      return exit_code::not_found;
    case ec::snapshot_exists:
    case ec::sandbox_exists:
    case ec::branch_in_progress:
    case ec::operation_conflict:
      return exit_code::conflict;
    case ec::not_permitted:
      return exit_code::not_permitted;
    case ec::node_busy:
    case ec::pause_too_long:
    case ec::disk_full:
    case ec::quota_exceeded:
    case ec::limit_reached:
    case ec::host_full:
      return exit_code::no_capacity;
    case ec::shutting_down:
    case ec::not_ready:
    case ec::node_down:
    case ec::deadline_exceeded:
      return exit_code::unreachable;
    case ec::unsupported:
    case ec::cancelled:
    case ec::io_failed:
    case ec::vmm_unreachable:
    case ec::vmm_refused:
    case ec::interrupted:
    case ec::vmm_gone:
    case ec::guest_stuck:
    case ec::snapshot_corrupt:
      return exit_code::failed;
  }
  return exit_code::failed;
}

exit_code exit_code_of(const std::vector<ec>& outcomes) {
  const auto is_failure = [](ec x) { return x != ec::none; };
  const auto first = std::find_if(outcomes.begin(), outcomes.end(), is_failure);
  if (first == outcomes.end())
    return exit_code::done;
  const bool all = std::all_of(outcomes.begin(), outcomes.end(), is_failure);
  return all ? exit_code_of(*first) : exit_code::partly;
}

} // namespace forkfleet::shell
