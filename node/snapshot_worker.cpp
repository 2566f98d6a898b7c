// SPDX-License-Identifier: Apache-2.0
#include "node/snapshot_worker.hpp"

#include <exception>
#include <utility>

#include "actors/harden.hpp"
#include "node/branch_cleanup.hpp"

namespace forkfleet {

namespace {

using self_ptr = snapshot_worker_actor::stateful_pointer<snapshot_worker_state>;

/// A guest that a broken branch may have left standing gets so long to resume.
constexpr auto resume_limit = std::chrono::seconds{10};

/// A library threw in the middle of a branch.
branch_outcome clean_up(const branch_context& context,
                        const branch_request& request,
                        const std::string& reason) {
  auto result = branch_result{
    report_of_failed(context, request, {ec::io_failed, reason}), {}};
  clean_up_branch(context, guest_after::may_stand, context.now() + resume_limit,
                  result);
  if (auto kept = context.journal->close(result.report); !kept)
    result.report.warnings.push_back(kept.error().message);
  return {std::move(result.report), std::move(result.snapshot)};
}

branch_outcome take_branch(const branch_context& context,
                           const branch_request& request) {
  try {
    auto [report, snapshot] = run_branch(context, request);
    return {std::move(report), std::move(snapshot)};
  } catch (const std::exception& error) {
    return clean_up(context, request, error.what());
  }
}

} // namespace

snapshot_worker_actor::behavior_type snapshot_worker(self_ptr self,
                                                     branch_context context) {
  harden(self);
  self->state.context = std::move(context);
  self->state.context.now = [self] { return self->clock().now(); };
  self->set_exit_handler([self](const caf::exit_msg&) { self->quit(); });
  return {
    [self](const branch_order& order) {
      auto& st = self->state;
      st.context.arrival = order.arrival;
      st.context.cancel = order.cancel;
      if (!st.outcome)
        st.outcome = take_branch(st.context, order.request);
      return *st.outcome;
    },
  };
}

} // namespace forkfleet
