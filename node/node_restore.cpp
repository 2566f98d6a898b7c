// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "actors/same_request.hpp"
#include "node/agent/identity.hpp"
#include "node/child_birth.hpp"
#include "node/host_worker.hpp"
#include "node/limits/lineage_limits.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"
#include "node/waiting_work.hpp"

namespace forkfleet::node_work {

namespace {

/// Outcomes of restores that a repeated operation id is answered with.
constexpr std::size_t ended_max = 512;

/// Restores under way at once.
constexpr std::size_t running_max = 64;

/// Delivers to everybody who waits for a restore: the only place.
void conclude(node_pointer self, const restore_report& report) {
  auto& st = self->state;
  auto& known = st.restores.at(report.operation);
  log::info("restore.ended", {{"operation", report.operation},
                              {"tag", report.tag},
                              {"sandbox", known.request.sandbox},
                              {"outcome", report.outcome},
                              {"total_us", report.total}});
  known.ended = true;
  known.report = report;
  known.request.input = {};
  for (auto& promise : std::exchange(known.waiting, {}))
    promise.deliver(report);
  st.ended_restores.push_back(report.operation);
  while (st.ended_restores.size() > ended_max) {
    st.restores.erase(st.ended_restores.front());
    st.ended_restores.pop_front();
  }
}

/// The child as it stands now, and how long that took.
restore_report report_of(node_pointer self, const restore_request& request,
                         deadline_point begun) {
  return {.operation = request.operation,
          .tag = request.tag,
          .sandbox = self->state.sandboxes.at(request.sandbox).info,
          .total = std::chrono::duration_cast<microseconds>(self->clock().now()
                                                            - begun)};
}

/// Answers who waits for no more; the restore goes on.
void answer_early(node_pointer self, restore_report report) {
  report.started =
    report.sandbox.directory.empty() ? microseconds{0} : report.total;
  auto& known = self->state.restores.at(report.operation);
  for (auto& promise : std::exchange(known.waiting, {}))
    promise.deliver(report);
}

/// From here on it is found again after the node's death.
void note_finished(const node_services& services, sandbox_record child) {
  child.is_unfinished = false;
  if (const auto kept = services.keep_record(child); !kept)
    log::warn("record.outdated",
              {{"sandbox", child.id}, {"reason", kept.error()}});
}

sandbox_record record_for(node_pointer self, const restore_request& request) {
  auto record = child_record(self, request.sandbox, request.operation,
                             self->state.snapshots.at(request.tag));
  record.limits = limits_of_child(self, request);
  record.asked = request_digest(request);
  return record;
}

/// Opens the snapshot and starts the child's VM, on the calling thread.
host_answer restore_vm(const node_services& services,
                       const sandbox_record& record, int leash_pid,
                       deadline_point until, const caf::actor_clock& clock) {
  auto answer = start_child(services, record, leash_pid, until, clock);
  if (!answer.outcome && answer.vmm->describe().agent.empty()) {
    auto child = record;
    child.spec.vcpus = answer.vmm->describe().vcpus;
    child.unenforced = answer.cgroup.unenforced;
    child.network = answer.network;
    note_finished(services, child);
  }
  return answer;
}

/// What the guest answered is kept, on the calling thread. After an error
/// nothing is left of the child.
host_answer conclude_naming(const node_services& services, sandbox_record child,
                            const vmm_ptr& vm, const host_answer& asked) {
  if (asked.outcome)
    return end_nameless(services, child, vm, asked);
  child.identity = asked.identity;
  note_finished(services, child);
  return asked;
}

/// The child has its ending: it runs, or nothing is left of it.
void on_finished(node_pointer self, const restore_request& request,
                 deadline_point begun, microseconds started,
                 const host_answer& answer) {
  auto& st = self->state;
  auto report = report_of(self, request, begun);
  report.outcome = answer.outcome;
  report.started = started.count() > 0 ? started : report.total;
  auto& managed = st.sandboxes.at(request.sandbox);
  if (answer.outcome) {
    const auto place = place_of(managed.record);
    // What may run keeps its name off others, and goes when it is found.
    if (answer.is_left)
      watch_for(self, {.record = managed.record, .is_doomed = true});
    st.sandboxes.erase(request.sandbox);
    note_departed(self, place);
    // An inventory may have told it as starting.
    uplink::tell_removed(self, request.sandbox);
    return conclude(self, report);
  }
  managed.record.spec.vcpus = answer.vmm->describe().vcpus;
  managed.record.is_unfinished = false;
  managed.record.identity = answer.identity;
  auto info = managed.info;
  info.state = sandbox_state::running;
  info.note = {};
  info.identity = answer.identity;
  manage(self, info, answer.vmm);
  report.sandbox = managed.info;
  conclude(self, report);
}

/// The guest is asked by a worker of its own; what is written after that is
/// written in the sandbox' order.
void name_child(node_pointer self, const restore_request& request,
                const vmm_ptr& vm, deadline_point begun, deadline_point until,
                microseconds started) {
  const auto record = self->state.sandboxes.at(request.sandbox).record;
  auto job =
    host_job{[record, vm, until, wall = self->state.services.wall,
              plan = plan_identity(request.sandbox.value, request.input)] {
      return ask_guest(record, vm, plan, wall, until);
    }};
  run_waiting(
    self, std::move(job),
    [self, request, record, vm, begun, started](const host_answer& asked) {
      auto& managed = self->state.sandboxes.at(request.sandbox);
      auto rest =
        host_job{[services = shared_services(self), record, vm, asked] {
          return conclude_naming(*services, record, vm, asked);
        }};
      run_on(self, managed.hand, std::move(rest),
             [self, request, begun, started](const host_answer& x) {
               on_finished(self, request, begun, started, x);
             });
    });
}

/// The child's VM runs, or nothing is left of it.
void on_started(node_pointer self, const restore_request& request,
                deadline_point begun, deadline_point until,
                const host_answer& answer) {
  auto& st = self->state;
  auto& managed = st.sandboxes.at(request.sandbox);
  managed.info.directory = answer.text;
  note_made(managed.record, managed.info, answer);
  const bool is_named = !answer.outcome
                        && (request.wait == restore_wait::ready
                            || !answer.vmm->describe().agent.empty());
  if (!is_named)
    return on_finished(self, request, begun, {}, answer);
  managed.info.note = "its guest takes an identity of its own";
  managed.record.spec.vcpus = answer.vmm->describe().vcpus;
  const auto report = report_of(self, request, begun);
  if (request.wait == restore_wait::started)
    answer_early(self, report);
  name_child(self, request, answer.vmm, begun, until, report.total);
}

void start_restore(node_pointer self, const restore_request& request) {
  auto& st = self->state;
  const auto& managed = enlist(self, record_for(self, request));
  const auto begun = self->clock().now();
  const auto limit = request.deadline.count() > 0
                       ? caf::timespan{request.deadline}
                       : caf::timespan{start_limit};
  auto job =
    host_job{[services = shared_services(self), record = managed.record,
              leash = st.settings.leash_pid, until = begun + limit,
              clock = &self->home_system().clock()] {
      return restore_vm(*services, record, leash, until, *clock);
    }};
  run_on(
    self, managed.hand, std::move(job),
    [self, request, begun, until = begun + limit](const host_answer& answer) {
      on_started(self, request, begun, until, answer);
    });
  if (request.wait == restore_wait::none)
    answer_early(self, report_of(self, request, begun));
}

/// What is running, and what lies on the disk, may stand against a child.
status check_room(node_pointer self, const restore_request& request) {
  const auto& st = self->state;
  for (const auto& limits : {request.limits, limits_of_child(self, request)})
    if (const auto wrong = wrong_limit(limits); !wrong.empty())
      return fail(ec::invalid_request, "limits: " + wrong);
  const auto children = std::ranges::count_if(st.sandboxes, [&](const auto& x) {
    return x.second.info.parent == request.tag;
  });
  if (auto fine = check_child(st.settings.limits, request.tag,
                              static_cast<uint64_t>(children));
      !fine)
    return fine;
  return admit_vm(self, record_for(self, request));
}

/// Why a fresh `request` cannot be done.
status check(node_pointer self, const restore_request& request) {
  auto& st = self->state;
  if (st.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (auto free = check_repair(self, request.sandbox.value); !free)
    return free;
  if (!is_valid(request.operation) || !is_valid(request.sandbox))
    return fail(ec::invalid_request, "operation and sandbox must be names of "
                                     "letters, digits, '-' and '_'");
  if (auto fine = forkfleet::check(request.input); !fine)
    return fine;
  if (st.operations.status_of(request.operation).state
      != operation_state::unknown)
    return fail(ec::invalid_request,
                request.operation.value + " was used for a branch");
  if (!st.snapshots.contains(request.tag))
    return fail(ec::unknown_snapshot, request.tag.value);
  if (st.retention.removing.contains(request.tag))
    return fail(ec::node_busy, request.tag.value + " is being removed");
  if (st.sandboxes.contains(request.sandbox))
    return fail(ec::sandbox_exists, request.sandbox.value);
  if (st.restores.size() - st.ended_restores.size() >= running_max)
    return fail(ec::node_busy,
                std::to_string(running_max) + " restores are under way");
  return check_room(self, request);
}

/// Why a repeated `request` cannot be answered.
status check_repeated(const known_restore& known,
                      const restore_request& request) {
  if (const auto field = differing_field(known.request, request);
      !field.empty())
    return tl::unexpected{conflict_of(request.operation, field)};
  if (known.waiting.size() >= waiters_max)
    return fail(ec::node_busy, std::to_string(waiters_max)
                                 + " requests wait for "
                                 + request.operation.value);
  return {};
}

/// The child that this very operation made in an earlier life of this node.
const managed_sandbox* child_of(node_pointer self,
                                const restore_request& request) {
  const auto& sandboxes = self->state.sandboxes;
  const auto found = sandboxes.find(request.sandbox);
  if (found == sandboxes.end() || request.operation.empty())
    return nullptr;
  const auto& record = found->second.record;
  const bool is_own =
    record.operation == request.operation && record.parent == request.tag;
  return is_own ? &found->second : nullptr;
}

} // namespace

caf::result<restore_report> on_restore(node_pointer self,
                                       const restore_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  const auto it = st.restores.find(request.operation);
  const bool is_fresh = it == st.restores.end();
  const auto* child = is_fresh ? child_of(self, request) : nullptr;
  if (child && !child->record.asked.empty()
      && child->record.asked != request_digest(request))
    return to_caf_error(
      conflict_of(request.operation, "wait, input or limits"));
  if (child)
    return restore_report{.operation = request.operation,
                          .tag = request.tag,
                          .sandbox = child->info};
  const auto fine =
    is_fresh ? check(self, request) : check_repeated(it->second, request);
  if (!fine)
    return to_caf_error(fine.error());
  auto& known = st.restores[request.operation];
  if (known.ended)
    return known.report;
  auto promise = self->make_response_promise<restore_report>();
  known.waiting.push_back(promise);
  if (is_fresh) {
    known.request = request;
    start_restore(self, request);
  }
  return promise;
}

} // namespace forkfleet::node_work
