// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "actors/labels.hpp"
#include "actors/log.hpp"
#include "actors/same_request.hpp"
#include "node/host_worker.hpp"
#include "node/limits/lineage_limits.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// Beyond a branch's own deadline, for what cannot be cancelled.
constexpr auto branch_grace = std::chrono::minutes{3};

/// Delivers to everybody who waits for the operation: the only place.
template <class Answer>
void answer_all(node_pointer self, const operation_id& operation,
                const Answer& answer) {
  auto waiting = self->state.waiting.extract(operation);
  if (waiting.empty())
    return;
  for (auto& promise : waiting.mapped())
    promise.deliver(answer);
}

} // namespace

void end_branch(node_pointer self, const branch_report& report) {
  auto& st = self->state;
  st.slots.release(report.operation);
  st.orders.erase(report.operation);
  st.operations.finish(report);
  log::info("branch.ended", {{"branch", report.operation},
                             {"source", report.sandbox},
                             {"tag", report.tag},
                             {"outcome", report.outcome},
                             {"pause_us", report.pause},
                             {"total_us", report.total}});
  uplink::tell(self, st.operations.status_of(report.operation));
  answer_all(self, report.operation, report);
}

namespace {

/// Ends an operation that never started.
void refuse(node_pointer self, const operation_id& operation,
            const failure& why) {
  auto& st = self->state;
  st.slots.release(operation);
  st.orders.erase(operation);
  st.operations.withdraw(operation);
  log::info("branch.refused", {{"branch", operation}, {"reason", why}});
  answer_all(self, operation, to_caf_error(why));
}

void on_outcome(node_pointer self, const branch_outcome& outcome) {
  if (!outcome.snapshot.tag.empty()) {
    self->state.snapshots[outcome.snapshot.tag] = outcome.snapshot;
    uplink::tell(self, outcome.snapshot);
    flatten_if_deep(self, outcome.snapshot);
  }
  end_branch(self, outcome.report);
  take_turns(self);
  count_load(self);
}

/// The sandbox's own error means that the branch did not start; CAF's own
/// means that the SANDBOX is gone, and its worker with it.
void on_failure(node_pointer self, const branch_request& request,
                const caf::error& error) {
  const auto why = from_caf_error(error);
  if (error.category() == error_category && why.code != ec::interrupted)
    refuse(self, request.operation, why);
  else
    end_branch(self, {.operation = request.operation,
                      .sandbox = request.sandbox,
                      .tag = request.tag,
                      .host = self->state.settings.host,
                      .outcome = {ec::interrupted, why.message},
                      .mode = request.mode});
  take_turns(self);
}

/// Waits for the SANDBOX. An answer that is late may still come: until then
/// the branch keeps its slot, and only who waits is told that nobody knows.
void await_branch(node_pointer self, const sandbox_actor& sandbox,
                  const branch_order& order, caf::timespan limit) {
  self->request(sandbox, limit, order)
    .then([self](const branch_outcome& outcome) { on_outcome(self, outcome); },
          [self, sandbox, order](const caf::error& error) {
            const auto why = from_caf_error(error);
            const auto& request = order.request;
            if (why.code != ec::deadline_exceeded)
              return on_failure(self, request, error);
            log::warn("branch.delayed", {{"branch", request.operation},
                                         {"source", request.sandbox}});
            answer_all(self, request.operation, to_caf_error(why));
            await_branch(self, sandbox, order, caf::timespan{branch_grace});
          });
}

/// Whether `request` may be taken at all.
status check(node_pointer self, const branch_request& request) {
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return epoch;
  if (!is_valid(request.operation))
    return fail(ec::invalid_request,
                "operation: must be 1 to 64 letters, digits, '-' or '_'");
  if (!is_valid(request.tag))
    return fail(ec::invalid_request,
                "tag: must be 1 to 64 letters, digits, '-' or '_'");
  if (self->state.restores.contains(request.operation))
    return fail(ec::invalid_request,
                request.operation.value + " was used for a restore");
  return check_change({.labels = request.labels, .note = request.note});
}

/// What stands against a branch of this source under this tag.
status check_names(node_pointer self, const branch_request& request) {
  const auto& st = self->state;
  const auto it = st.sandboxes.find(request.sandbox);
  if (it == st.sandboxes.end())
    return fail(ec::unknown_sandbox, request.sandbox.value);
  if (auto fine = check_switch(it->second); !fine)
    return fine;
  if (!it->second.handle)
    return fail(it->second.info.state == sandbox_state::starting ? ec::not_ready
                                                                 : ec::vmm_gone,
                request.sandbox.value + ": " + it->second.info.note);
  if (st.snapshots.contains(request.tag))
    return fail(ec::snapshot_exists, request.tag.value);
  return check_snapshot(st.settings.limits, request.sandbox,
                        it->second.info.parent, st.snapshots);
}

expected<admitted> admit(node_pointer self, const branch_request& request) {
  if (self->state.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (auto free = check_repair(self, request.operation.value); !free)
    return tl::unexpected(free.error());
  if (auto fine = check_names(self, request); !fine)
    return tl::unexpected(fine.error());
  return self->state.slots.admit(request);
}

milliseconds time_allowed(node_pointer self, const branch_request& request) {
  return request.deadline.count() > 0 ? request.deadline
                                      : self->state.settings.branch.deadline;
}

void start(node_pointer self, const branch_order& order) {
  const auto& request = order.request;
  log::info("branch.started", {{"branch", request.operation},
                               {"source", request.sandbox},
                               {"tag", request.tag}});
  const auto& managed = self->state.sandboxes.at(request.sandbox);
  await_branch(self, managed.handle, order,
               caf::timespan{time_allowed(self, request) + branch_grace});
}

/// Starts the branch, or lets it wait for its turn within its deadline.
void begin(node_pointer self, const branch_request& request, admitted how) {
  auto& st = self->state;
  const auto& order = st.orders[request.operation] = {
    .request = request,
    .arrival = self->clock().now(),
    .cancel = std::make_shared<branch_cancel>()};
  uplink::tell(self, st.operations.status_of(request.operation));
  if (how == admitted::running)
    return start(self, order);
  log::info("branch.queued", {{"branch", request.operation},
                              {"source", request.sandbox},
                              {"queued", st.slots.queued()}});
  self->delayed_send(self, caf::timespan{time_allowed(self, request)},
                     tick{queue_reminder});
}

} // namespace

caf::result<branch_report> on_branch(node_pointer self,
                                     const branch_request& request) {
  auto& st = self->state;
  if (auto fine = check(self, request); !fine)
    return to_caf_error(fine.error());
  const auto claim = st.operations.claim(request);
  auto how = expected<admitted>{admitted::running};
  if (claim == operation_claim::conflict)
    return to_caf_error(
      conflict_of(request.operation, st.operations.difference(request)));
  if (claim == operation_claim::ended)
    return st.operations.status_of(request.operation).report;
  if (claim == operation_claim::fresh) {
    if (how = admit(self, request); !how) {
      st.operations.withdraw(request.operation);
      return to_caf_error(how.error());
    }
  }
  auto& waiting = st.waiting[request.operation];
  if (waiting.size() >= waiters_max)
    return to_caf_error(ec::node_busy, std::to_string(waiters_max)
                                         + " requests wait for "
                                         + request.operation.value);
  auto promise = self->make_response_promise<branch_report>();
  waiting.push_back(promise);
  if (claim == operation_claim::fresh)
    begin(self, request, *how);
  return promise;
}

void take_turns(node_pointer self) {
  auto& st = self->state;
  // One that cannot start any more gives its turn to the next.
  for (auto turns = st.slots.take_turns(); !turns.empty();
       turns = st.slots.take_turns())
    for (const auto& operation : turns) {
      const auto order = st.orders.at(operation);
      if (auto fine = check_names(self, order.request); fine)
        start(self, order);
      else
        refuse(self, operation, fine.error());
    }
}

void expire_queued(node_pointer self) {
  auto& st = self->state;
  auto late = std::vector<operation_id>{};
  for (const auto& [operation, order] : st.orders)
    if (st.slots.is_queued(operation)
        && self->clock().now()
             >= order.arrival + time_allowed(self, order.request))
      late.push_back(operation);
  for (const auto& operation : late)
    refuse(self, operation,
           {ec::node_busy, "its whole deadline passed in the queue of "
                             + st.settings.host.value});
}

void dismiss_queued(node_pointer self) {
  auto& st = self->state;
  auto waiting = std::vector<operation_id>{};
  for (const auto& [operation, order] : st.orders)
    if (st.slots.is_queued(operation))
      waiting.push_back(operation);
  for (const auto& operation : waiting)
    refuse(self, operation, {ec::shutting_down, "this node is going down"});
}

operation_status on_query(node_pointer self, const operation_query& query) {
  return self->state.operations.status_of(query.operation);
}

} // namespace forkfleet::node_work
