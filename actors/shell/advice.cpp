// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/advice.hpp"

namespace forkfleet::shell {

std::string_view advice(ec code) {
  switch (code) {
    case ec::unknown_sandbox:
      return "see which there are: forkfleet ls";
    case ec::unknown_snapshot:
      return "see which there are: forkfleet snapshots";
    case ec::unknown_operation:
      return "see what happened: forkfleet events";
    case ec::snapshot_exists:
      return "choose another --tag, or remove it: forkfleet rm";
    case ec::sandbox_exists:
      return "choose another --name, or end it: forkfleet stop";
    case ec::branch_in_progress:
    case ec::node_busy:
      return "try again when it has ended; see: forkfleet events --follow";
    case ec::not_ready:
      return "try again in a few seconds; what is not ready yet: forkfleet ls, "
             "forkfleet nodes";
    case ec::node_down:
    case ec::deadline_exceeded:
      return "see whether the node is up: forkfleet nodes. What was asked for "
             "may have been done: ask by its id before trying again, "
             "forkfleet status ID";
    case ec::cancelled:
      return "nothing to do: somebody asked for its end, forkfleet cancel";
    case ec::pause_too_long:
      return "allow a longer --max-pause, or try again when the guest writes "
             "less";
    case ec::not_permitted:
      return "check the certificates; forkfleet pki issues new ones. For an "
             "archive see who signed it: forkfleet import --help";
    case ec::disk_full:
    case ec::quota_exceeded:
      return "free space on the host, or remove snapshots: forkfleet rm";
    case ec::host_full:
      return "stop sandboxes (forkfleet ls), or promise less: see limits in "
             "the fleet file";
    case ec::limit_reached:
      return "remove what is not needed any more (forkfleet tree), or raise "
             "the limit in the fleet file";
    case ec::vmm_unreachable:
    case ec::vmm_gone:
      return "see the sandbox's note: forkfleet ls -o wide";
    case ec::operation_conflict:
      return "give each request an operation id of its own; a retry repeats "
             "its request exactly";
    case ec::none:
    case ec::invalid_request:
    case ec::unsupported:
    case ec::shutting_down:
    case ec::io_failed:
    case ec::vmm_refused:
    case ec::interrupted:
    case ec::guest_stuck:
    case ec::snapshot_corrupt:
      return remedy(code);
  }
  return remedy(code);
}

} // namespace forkfleet::shell
