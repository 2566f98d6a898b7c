// SPDX-License-Identifier: Apache-2.0
#include "node/node_switch.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "actors/fault.hpp"
#include "actors/log.hpp"
#include "actors/same_request.hpp"
#include "node/child_birth.hpp"
#include "node/host_worker.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

constexpr auto stop_limit = std::chrono::seconds{60};
constexpr auto release_limit = std::chrono::seconds{60};

/// What one of two switches with one id may say that the other does not.
constexpr const char* switch_fields = "sandbox, tag or force";

bool is_promotion(const switch_run& run) {
  return !run.from.empty();
}

} // namespace

void end_switch(node_pointer self, const switch_ptr& run,
                const failure& outcome) {
  auto& st = self->state;
  auto report =
    restore_report{.operation = run->operation,
                   .tag = run->record.parent,
                   .outcome = outcome,
                   .total = std::chrono::duration_cast<microseconds>(
                     self->clock().now() - run->begun),
                   .started = run->started};
  for (const auto& id : {run->name, run->from})
    if (const auto found = st.sandboxes.find(id); found != st.sandboxes.end()) {
      found->second.switching = {};
      report.sandbox = found->second.info;
    }
  if (const auto named = st.sandboxes.find(run->name);
      named != st.sandboxes.end() && (!outcome || !is_promotion(*run)))
    report.sandbox = named->second.info;
  log::info("switch.ended", {{"operation", run->operation},
                             {"sandbox", run->name},
                             {"from", run->from},
                             {"tag", report.tag},
                             {"outcome", outcome},
                             {"total_us", report.total}});
  st.switches.running.erase(run->operation);
  for (auto& promise : std::exchange(run->waiting, {}))
    promise.deliver(report);
}

namespace {

/// A sandbox whose SANDBOX gave up its VM has one again.
void give_back(node_pointer self, const sandbox_id& id, vmm_ptr& vm) {
  const auto found = self->state.sandboxes.find(id);
  if (vm && found != self->state.sandboxes.end())
    manage(self, sandbox_info{found->second.info}, vm);
  vm.reset();
}

/// A name and an address go together. It has it when the old VM is gone.
void take_address(sandbox_network& x, const sandbox_network& old) {
  if (x.mode != network_mode::isolated || old.mode != network_mode::isolated)
    return;
  x.address = old.address;
  x.host_address = old.host_address;
}

/// All is as it was before.
void abandon(node_pointer self, const switch_ptr& run, const failure& why) {
  const auto then = [self, run, why](const host_answer& answer) {
    if (answer.outcome) {
      log::error("sandbox.left", {{"sandbox", run->name},
                                  {"place", place_of(run->record)},
                                  {"reason", answer.outcome}});
      if (!is_promotion(*run))
        watch_for(self, {.record = run->record, .is_doomed = true});
    }
    give_back(self, run->name, run->old_vmm);
    if (is_promotion(*run))
      give_back(self, run->from, run->vmm);
    end_switch(self, run, why);
  };
  run_work(
    self, run,
    [](const node_services& services, switch_run& x) {
      if (is_promotion(x)) {
        const auto kept = services.keep_record(x.before);
        return host_answer{.outcome = kept ? failure{} : kept.error()};
      }
      if (!x.vmm || end_child(services, x.record, *x.vmm))
        return host_answer{};
      // Whatever was written: it must not have the name in the next life.
      x.record.is_unfinished = true;
      static_cast<void>(services.keep_record(x.record).has_value());
      return host_answer{.outcome = {ec::vmm_unreachable,
                                     "its new VM could not be ended; "
                                     "it is tried again"}};
    },
    then);
}

/// Ends the VM that was replaced, and what it had.
void retire(node_pointer self, const switch_ptr& run,
            const managed_sandbox& old) {
  const auto place = place_of(old.record);
  self->state.switches.retiring.insert(place);
  const bool has_ended = old.info.state == sandbox_state::gone
                         || old.info.state == sandbox_state::stopped;
  auto job = host_job{[services = shared_services(self), run, place, has_ended,
                       record = old.record, directory = old.info.directory,
                       leash = self->state.settings.leash_pid,
                       clock = &self->home_system().clock()] {
    const auto until = clock->now() + stop_limit;
    auto answer = host_answer{};
    if (run->old_vmm) {
      const auto ended = run->old_vmm->stop(until);
      const bool is_gone = ended || ended.error().code == ec::vmm_gone;
      answer.outcome = is_gone ? failure{} : ended.error();
    } else if (!has_ended) {
      answer = end_vm(*services, record, directory, leash, until);
    }
    if (answer.outcome)
      return answer;
    services->forget_record(place);
    if (services->networks)
      if (auto moved = services->networks->make(run->record.network); !moved)
        answer.outcome = moved.error();
    return answer;
  }};
  // On its own worker: what it still writes comes before.
  run_on(self, old.hand, std::move(job),
         [self, run, place, record = old.record](const host_answer& answer) {
           self->state.switches.retiring.erase(place);
           run->old_vmm.reset();
           if (answer.outcome) {
             log::error("sandbox.left", {{"sandbox", run->name},
                                         {"place", place},
                                         {"reason", answer.outcome}});
             watch_for(self, {.record = record, .is_doomed = true});
           } else {
             note_departed(self, place);
           }
           end_switch(self, run, {});
         });
}

/// The name is the new VM's.
void take_over(node_pointer self, const switch_ptr& run) {
  auto& st = self->state;
  auto old = managed_sandbox{};
  if (const auto found = st.sandboxes.find(run->name);
      found != st.sandboxes.end())
    old = found->second;
  const bool has_old = !old.info.id.empty();
  if (is_promotion(*run))
    st.sandboxes.erase(run->from);
  st.sandboxes[run->name] = {.info = run->info,
                             .record = run->record,
                             .hand = run->hand,
                             .switching = old.switching};
  manage(self, run->info, run->vmm);
  run->vmm.reset();
  // After the other was told: who asks again finds one of the two.
  if (is_promotion(*run))
    uplink::tell_removed(self, run->from);
  uplink::tell(self,
               fleet_event{.at = st.services.wall(),
                           .kind = is_promotion(*run) ? "sandbox.promoted"
                                                      : "sandbox.rolled_back",
                           .host = st.settings.host,
                           .sandbox = run->name,
                           .tag = run->record.parent,
                           .operation = run->operation,
                           .detail = is_promotion(*run)
                                       ? "it was " + run->from.value
                                       : "to " + run->record.parent.value});
  if (has_old)
    retire(self, run, old);
  else
    end_switch(self, run, {});
}

} // namespace

status check_switch(const managed_sandbox& managed) {
  if (!managed.switching.empty())
    return fail(ec::not_ready,
                managed.info.id.value + " is being " + managed.switching);
  return {};
}

std::set<sandbox_id> places_in_use(node_pointer self) {
  const auto& st = self->state;
  auto result = st.switches.retiring;
  for (const auto& [id, managed] : st.sandboxes)
    result.insert(place_of(managed.record));
  for (const auto& [operation, run] : st.switches.running)
    result.insert(place_of(run->record));
  for (const auto& [place, lost] : st.watch.lost)
    result.insert(place);
  return result;
}

std::optional<caf::result<restore_report>>
answer_known(node_pointer self, const operation_id& operation,
             const std::string& asked) {
  auto& st = self->state;
  if (operation.empty())
    return {};
  if (const auto found = st.switches.running.find(operation);
      found != st.switches.running.end()) {
    auto& run = *found->second;
    if (run.record.switch_asked != asked)
      return caf::result<restore_report>{
        to_caf_error(conflict_of(operation, switch_fields))};
    if (run.waiting.size() >= waiters_max)
      return caf::result<restore_report>{to_caf_error(
        ec::node_busy,
        std::to_string(waiters_max) + " requests wait for " + operation.value)};
    auto promise = self->make_response_promise<restore_report>();
    run.waiting.push_back(promise);
    return caf::result<restore_report>{promise};
  }
  const auto done = std::ranges::find_if(st.sandboxes, [&](const auto& item) {
    return item.second.record.switched_by == operation;
  });
  if (done == st.sandboxes.end())
    return {};
  const auto& before = done->second.record.switch_asked;
  if (!before.empty() && before != asked)
    return caf::result<restore_report>{
      to_caf_error(conflict_of(operation, switch_fields))};
  return caf::result<restore_report>{
    restore_report{.operation = operation,
                   .tag = done->second.record.parent,
                   .sandbox = done->second.info}};
}

restore_promise start_switch(node_pointer self, const switch_ptr& run,
                             std::string what) {
  auto& st = self->state;
  auto promise = self->make_response_promise<restore_report>();
  run->waiting.push_back(promise);
  st.switches.running[run->operation] = run;
  for (const auto& id : {run->name, run->from})
    if (const auto found = st.sandboxes.find(id); found != st.sandboxes.end())
      found->second.switching = what;
  log::info("switch.started", {{"operation", run->operation},
                               {"sandbox", run->name},
                               {"from", run->from},
                               {"tag", run->record.parent}});
  return promise;
}

void release_vm(node_pointer self, const switch_ptr& run, const sandbox_id& id,
                vmm_ptr switch_run::*into, std::function<void()> then) {
  const auto found = self->state.sandboxes.find(id);
  if (found == self->state.sandboxes.end() || !found->second.handle)
    return then();
  const auto handle = found->second.handle;
  self->request(handle, caf::timespan{release_limit}, release_request{})
    .then(
      [self, run, id, into, handle, then](const host_answer& answer) {
        (*run).*into = answer.vmm;
        self->demonitor(handle.address());
        if (const auto it = self->state.sandboxes.find(id);
            it != self->state.sandboxes.end())
          it->second.handle = sandbox_actor{};
        then();
      },
      [self, run](const caf::error& error) {
        abandon(self, run, from_caf_error(error));
      });
}

void commit_switch(node_pointer self, const switch_ptr& run) {
  run_work(
    self, run,
    [](const node_services& services, switch_run& x) {
      if (auto fine = fault_point("switch.started"); !fine)
        return host_answer{.outcome = fine.error()};
      x.record.is_unfinished = false;
      take_address(x.record.network, x.old_network);
      x.info.network = x.record.network;
      const auto kept = services.keep_record(x.record);
      if (!kept)
        return host_answer{.outcome = kept.error()};
      x.info.directory = *kept;
      static_cast<void>(fault_point("switch.committed"));
      return host_answer{};
    },
    [self, run](const host_answer& answer) {
      if (answer.outcome)
        abandon(self, run, answer.outcome);
      else
        take_over(self, run);
    });
}

} // namespace forkfleet::node_work
