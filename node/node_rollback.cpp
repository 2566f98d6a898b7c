// SPDX-License-Identifier: Apache-2.0
// rollback and promote, as they arrive at a NODE.
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "actors/same_request.hpp"
#include "node/child_birth.hpp"
#include "node/node_switch.hpp"
#include "node/sandbox_switch.hpp"
#include "node/uplink.hpp"
#include "node/waiting_work.hpp"

namespace forkfleet::node_work {

namespace {

constexpr std::size_t running_max = 16;

/// What both begin with.
switch_ptr begin(node_pointer self, const sandbox_id& name,
                 const sandbox_id& from, const operation_id& operation,
                 milliseconds deadline) {
  auto run = std::make_shared<switch_run>();
  run->operation = operation;
  run->name = name;
  run->from = from;
  run->begun = self->clock().now();
  run->until = run->begun
               + (deadline.count() > 0 ? caf::timespan{deadline}
                                       : caf::timespan{start_limit});
  return run;
}

/// Why a switch cannot begin on this sandbox.
status check_sandbox(node_pointer self, const managed_sandbox& managed) {
  const auto& id = managed.info.id;
  if (managed.info.state == sandbox_state::starting)
    return fail(ec::not_ready, id.value + " is being started");
  if (managed.is_ending)
    return fail(ec::not_ready, id.value + " is being stopped");
  if (auto fine = check_switch(managed); !fine)
    return fine;
  for (const auto& [operation, order] : self->state.orders)
    if (order.request.sandbox == id)
      return fail(ec::branch_in_progress, id.value + " is being branched by "
                                            + operation.value
                                            + "; wait for it, or cancel it");
  return {};
}

template <class Request>
status check(node_pointer self, const Request& request) {
  const auto& st = self->state;
  if (st.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (!is_valid(request.operation) || !is_valid(request.sandbox))
    return fail(ec::invalid_request, "operation and sandbox must be names of "
                                     "letters, digits, '-' and '_'");
  if (!st.sandboxes.contains(request.sandbox))
    return fail(ec::unknown_sandbox, request.sandbox.value);
  if (st.switches.running.size() >= running_max)
    return fail(ec::node_busy, std::to_string(running_max)
                                 + " rollbacks and promotions are under way");
  return check_sandbox(self, st.sandboxes.at(request.sandbox));
}

/// The new VM runs, or nothing is left of it.
void on_started(node_pointer self, const switch_ptr& run,
                const host_answer& answer) {
  if (answer.is_left)
    watch_for(self, {.record = run->record, .is_doomed = true});
  if (answer.outcome)
    return end_switch(self, run, answer.outcome);
  run->vmm = answer.vmm;
  run->record.spec.vcpus = answer.vmm->describe().vcpus;
  run->record.identity = answer.identity;
  run->info.identity = answer.identity;
  note_made(run->record, run->info, answer);
  run->started =
    std::chrono::duration_cast<microseconds>(self->clock().now() - run->begun);
  release_vm(self, run, run->name, &switch_run::old_vmm,
             [self, run] { commit_switch(self, run); });
}

/// The new VM's guest is asked by a worker of its own.
void name_fresh(node_pointer self, const switch_ptr& run,
                const host_answer& started) {
  auto job = host_job{[run, vm = started.vmm, wall = self->state.services.wall,
                       plan = plan_identity(run->name.value, {})] {
    return ask_guest(run->record, vm, plan, wall, run->until);
  }};
  run_waiting(
    self, std::move(job), [self, run, started](const host_answer& asked) {
      run_work(
        self, run,
        [started, asked](const node_services& services, switch_run& x) {
          auto answer = asked.outcome
                          ? end_nameless(services, x.record, started.vmm, asked)
                          : asked;
          answer.cgroup = started.cgroup;
          answer.network = started.network;
          return answer;
        },
        [self, run](const host_answer& answer) {
          on_started(self, run, answer);
        });
    });
}

void start_fresh(node_pointer self, const switch_ptr& run) {
  run_work(
    self, run,
    [leash = self->state.settings.leash_pid,
     clock = &self->home_system().clock()](const node_services& services,
                                           switch_run& x) {
      return start_child(services, x.record, leash, x.until, *clock);
    },
    [self, run](const host_answer& answer) {
      if (answer.outcome || answer.vmm->describe().agent.empty())
        on_started(self, run, answer);
      else
        name_fresh(self, run, answer);
    });
}

status check_promotion(node_pointer self, const sandbox_id& child,
                       const sandbox_id& source) {
  const auto& st = self->state;
  if (source == child)
    return fail(ec::invalid_request,
                child.value + " has the name of its source already");
  if (!is_valid(source))
    return fail(ec::unsupported, "its snapshot does not tell its source");
  const auto found = st.sandboxes.find(source);
  return found == st.sandboxes.end() ? status{}
                                     : check_sandbox(self, found->second);
}

} // namespace

caf::result<restore_report> on_rollback(node_pointer self,
                                        const rollback_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  if (auto known =
        answer_known(self, request.operation, request_digest(request)))
    return std::move(*known);
  if (auto fine = check(self, request); !fine)
    return to_caf_error(fine.error());
  const auto found = st.snapshots.find(request.tag);
  if (found == st.snapshots.end())
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  if (st.retention.removing.contains(request.tag))
    return to_caf_error(ec::node_busy, request.tag.value + " is being removed");
  const auto& old = st.sandboxes.at(request.sandbox);
  if (auto fine =
        check_rollback(old.info, found->second, request.force, st.snapshots);
      !fine)
    return to_caf_error(fine.error());
  const auto run =
    begin(self, request.sandbox, {}, request.operation, request.deadline);
  run->record =
    child_record(self, request.sandbox, old.record.operation, found->second);
  run->record.origin = old.record.origin;
  run->record.branches = old.record.branches;
  run->record.life = old.record.life + 1;
  run->record.switched_by = request.operation;
  run->record.switch_asked = request_digest(request);
  run->record.limits = old.record.limits;
  run->old_network = old.record.network;
  if (auto fine = admit_vm(self, run->record, true); !fine)
    return to_caf_error(fine.error());
  auto taken = places_in_use(self);
  for (const auto& name : st.fsck.removing)
    taken.insert({name});
  run->record.place = free_place(request.sandbox, taken);
  name_cgroup(self, run->record);
  run->hand = next_hand(self);
  run->info = old.info;
  run->info.state = sandbox_state::running;
  run->info.parent = request.tag;
  run->info.note = {};
  run->info.switched_by = request.operation;
  run->info.started_at = run->record.created_at;
  const auto promise = start_switch(self, run, "rolled back");
  start_fresh(self, run);
  return promise;
}

caf::result<restore_report> on_promote(node_pointer self,
                                       const promote_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  if (auto known =
        answer_known(self, request.operation, request_digest(request)))
    return std::move(*known);
  if (auto fine = check(self, request); !fine)
    return to_caf_error(fine.error());
  const auto& child = st.sandboxes.at(request.sandbox);
  const auto snapshot = st.snapshots.find(child.info.parent);
  if (snapshot == st.snapshots.end())
    return to_caf_error(ec::invalid_request,
                        request.sandbox.value + " is no child of a snapshot");
  if (!child.handle)
    return to_caf_error(ec::vmm_gone,
                        request.sandbox.value + ": " + child.info.note);
  const auto& source = snapshot->second.source;
  if (auto fine = check_promotion(self, request.sandbox, source); !fine)
    return to_caf_error(fine.error());
  const auto run =
    begin(self, source, request.sandbox, request.operation, request.deadline);
  run->before = child.record;
  run->record = child.record;
  run->record.id = source;
  run->record.spec.name = source;
  run->record.place = place_of(child.record);
  run->record.life = 1;
  run->record.switched_by = request.operation;
  run->record.switch_asked = request_digest(request);
  if (const auto old = st.sandboxes.find(source); old != st.sandboxes.end()) {
    run->record.life = old->second.record.life + 1;
    run->old_network = old->second.record.network;
    if (old->second.record.origin == sandbox_origin::declared)
      run->record.origin = sandbox_origin::declared;
  }
  run->hand = child.hand;
  run->info = child.info;
  run->info.id = source;
  run->info.origin = run->record.origin;
  run->info.switched_by = request.operation;
  const auto promise = start_switch(self, run, "promoted");
  release_vm(self, run, run->from, &switch_run::vmm, [self, run] {
    release_vm(self, run, run->name, &switch_run::old_vmm,
               [self, run] { commit_switch(self, run); });
  });
  return promise;
}

} // namespace forkfleet::node_work
