// SPDX-License-Identifier: Apache-2.0
#include "node/snapshot_worker.hpp"

#include <exception>
#include <utility>

#include "actors/harden.hpp"

namespace forkfleet {

namespace {

using self_ptr = snapshot_worker_actor::stateful_pointer<snapshot_worker_state>;

/// What is left to do when a library threw in the middle of a branch: the
/// guest runs, nothing stays behind.
branch_outcome clean_up(const branch_context& context,
                        const branch_request& request,
                        const std::string& reason) {
  auto report = branch_report{.operation = request.operation,
                              .sandbox = request.sandbox,
                              .tag = request.tag,
                              .host = context.host,
                              .outcome = {ec::io_failed, reason},
                              .mode = request.mode};
  const auto until = context.now() + std::chrono::seconds{10};
  if (auto resumed = context.vmm->resume(until); !resumed)
    report.outcome = resumed.error();
  context.vmm->abandon();
  context.store->discard(request.operation);
  if (auto kept = context.journal->close(report); !kept)
    report.warnings.push_back(kept.error().message);
  return {std::move(report), {}};
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
