// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

done how_it_ended(const failure& outcome) {
  if (outcome)
    return {"it had ended before: " + to_string(outcome)};
  return {"too late: its snapshot is sealed"};
}

branch_report cancelled_report(node_pointer self, const branch_order& order) {
  const auto& request = order.request;
  const auto waited = std::chrono::duration_cast<microseconds>(
    self->clock().now() - order.arrival);
  return {.operation = request.operation,
          .sandbox = request.sandbox,
          .tag = request.tag,
          .host = self->state.settings.host,
          .outcome = {ec::cancelled, "by request; it waited for its turn"},
          .mode = request.mode,
          .total = waited,
          .stages = {{.which = stage::admit, .elapsed = waited}},
          .started_at = self->state.services.wall() - waited};
}

/// Takes a branch out of the queue. The journal has its ending before it is
/// told: its id must not begin anew in another life of this node.
caf::result<done> withdraw(node_pointer self, const branch_order& order) {
  auto& st = self->state;
  st.slots.release(order.request.operation);
  const auto report =
    std::make_shared<branch_report>(cancelled_report(self, order));
  auto promise = self->make_response_promise<done>();
  auto job =
    host_job{[journal = st.services.journal, request = order.request, report] {
      auto kept = journal->open(request);
      if (kept)
        kept = journal->close(*report);
      return host_answer{.outcome = kept ? failure{} : kept.error()};
    }};
  run_on(self, next_hand(self), std::move(job),
         [self, promise, report](const host_answer& answer) mutable {
           if (answer.outcome)
             report->warnings.push_back("the journal could not keep this "
                                        "report: "
                                        + answer.outcome.message);
           end_branch(self, *report);
           take_turns(self);
           promise.deliver(done{"it never started"});
         });
  return promise;
}

} // namespace

caf::result<done> on_cancel(node_pointer self, const cancel_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  const auto& operation = request.operation;
  if (st.restores.contains(operation))
    return to_caf_error(ec::unsupported,
                        operation.value
                          + " is a restore; stop its sandbox instead");
  const auto known = st.operations.status_of(operation);
  if (known.state == operation_state::unknown)
    return to_caf_error(ec::unknown_operation, operation.value);
  if (known.state == operation_state::ended)
    return how_it_ended(known.report.outcome);
  const auto order = st.orders.find(operation);
  if (order == st.orders.end())
    return to_caf_error(ec::unknown_operation, operation.value);
  log::info("branch.cancelled", {{"branch", operation}});
  const bool is_queued = st.slots.is_queued(operation);
  const bool in_time = order->second.cancel->ask();
  if (is_queued)
    return withdraw(self, order->second);
  if (in_time)
    return done{"it ends as soon as its guest runs"};
  return done{"too late: its snapshot is being sealed"};
}

} // namespace forkfleet::node_work
