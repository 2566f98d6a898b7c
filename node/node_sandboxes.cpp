// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_watch.hpp"
#include "node/node_work.hpp"
#include "node/sandbox_birth.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

constexpr auto stop_limit = std::chrono::seconds{60};

/// Why a sandbox has no SANDBOX any more.
void lose(node_pointer self, const sandbox_id& id, sandbox_state state,
          std::string note) {
  auto& managed = self->state.sandboxes.at(id);
  log::error("sandbox.lost", {{"sandbox", id}, {"reason", note}});
  managed.handle = sandbox_actor{};
  auto changed = managed.info;
  changed.state = state;
  changed.note = std::move(note);
  if (state == sandbox_state::stuck)
    watch_for(self, {.record = managed.record, .directory = changed.directory});
  on_changed(self, changed);
  count_load(self);
}

void on_started(node_pointer self, const sandbox_id& id,
                const host_answer& answer) {
  auto& managed = self->state.sandboxes.at(id);
  if (answer.is_left)
    managed.info.directory = answer.text;
  if (answer.outcome)
    return lose(self, id,
                answer.is_left ? sandbox_state::stuck : sandbox_state::gone,
                "it could not be started: " + to_string(answer.outcome));
  note_made(managed.record, managed.info, answer);
  auto info = managed.info;
  info.state = sandbox_state::running;
  info.note = {};
  info.directory = answer.text;
  manage(self, info, answer.vmm);
}

void adopt(node_pointer self, const adopted_sandbox& found) {
  auto& managed = enlist(self, found.record);
  managed.info = found.info;
  if (found.vmm)
    return manage(self, found.info, found.vmm);
  if (found.info.state == sandbox_state::stuck)
    watch_for(self, {.record = found.record,
                     .directory = found.info.directory,
                     .was_standing = found.was_standing});
  on_changed(self, found.info);
}

/// A sandbox of which only the place could be read: its name is not used, and
/// its directory stays, until it can be.
void list_unread(node_pointer self, const unread_record& x) {
  auto& st = self->state;
  const auto record = sandbox_record{.id = x.place};
  auto lost = lost_vm{.record = record, .is_unread = true};
  if (is_valid(x.place) && !st.sandboxes.contains(x.place)) {
    auto& managed = st.sandboxes[x.place];
    managed = {.info = {.id = x.place,
                        .host = st.settings.host,
                        .state = sandbox_state::stuck,
                        .note = "its record cannot be read, and its VM may "
                                "run: "
                                + x.why},
               .record = record,
               .hand = next_hand(self)};
    on_changed(self, sandbox_info{managed.info});
  }
  watch_for(self, std::move(lost));
}

/// Whether a sandbox that has no record may have one that is not read.
void hold(node_pointer self, const sandbox_id& id) {
  auto& managed = self->state.sandboxes.at(id);
  auto changed = managed.info;
  changed.state = sandbox_state::stuck;
  changed.note = "not started: its VM may be the one of a record that cannot "
                 "be read; see the other sandboxes of this node";
  on_changed(self, changed);
  self->state.watch.held.insert(id);
}

/// Ends what has no SANDBOX: its VM may run all the same.
void stop_lost(node_pointer self, managed_sandbox& managed,
               std::function<void(const failure&)> then) {
  const auto& st = self->state;
  const bool has_ended = managed.info.state == sandbox_state::gone
                         || managed.info.state == sandbox_state::stopped;
  auto job = host_job{
    [has_ended, services = shared_services(self), record = managed.record,
     directory = managed.info.directory, leash = st.settings.leash_pid,
     clock = &self->home_system().clock()] {
      return has_ended ? host_answer{}
                       : end_vm(*services, record, directory, leash,
                                clock->now() + stop_limit);
    }};
  run_on(self, managed.hand, std::move(job),
         [then](const host_answer& answer) { then(answer.outcome); });
}

/// Has the SANDBOX end its VM.
void stop_managed(node_pointer self, const managed_sandbox& managed,
                  std::function<void(const failure&)> then) {
  self
    ->request(managed.handle, caf::timespan{stop_limit},
              stop_request{.sandbox = managed.info.id})
    .then([then](const done&) { then({}); },
          [then](const caf::error& error) { then(from_caf_error(error)); });
}

void end_sandbox(node_pointer self, managed_sandbox& managed,
                 std::function<void(const failure&)> then) {
  if (managed.handle)
    stop_managed(self, managed, std::move(then));
  else
    stop_lost(self, managed, std::move(then));
}

/// Removes what a VM ran in that has ended and whose record is kept.
void release(node_pointer self, const managed_sandbox& managed,
             std::function<void()> then) {
  const auto& record = managed.record;
  if (record.cgroup.empty() && record.network.space.empty())
    return then();
  auto job = host_job{[record, networks = self->state.services.networks] {
    auto gone = remove_cgroup(record.cgroup, cgroup_patience,
                              std::chrono::steady_clock::now() + cgroup_limit);
    if (networks)
      if (auto unmade = networks->remove(record.network); !unmade)
        gone = unmade;
    return host_answer{.outcome = gone ? failure{} : gone.error()};
  }};
  run_on(self, managed.hand, std::move(job),
         [id = managed.info.id, then](const host_answer& answer) {
           if (answer.outcome)
             log::warn("surroundings.left",
                       {{"sandbox", id}, {"reason", answer.outcome}});
           then();
         });
}

/// Keeps the number of branches over this node's own death.
void keep_count(node_pointer self, managed_sandbox& managed) {
  if (managed.record.branches == managed.info.branches)
    return;
  managed.record.branches = managed.info.branches;
  auto job =
    host_job{[services = shared_services(self), record = managed.record] {
      const auto kept = services->keep_record(record);
      return host_answer{.outcome = kept ? failure{} : kept.error()};
    }};
  run_on(self, managed.hand, std::move(job),
         [id = managed.info.id](const host_answer& answer) {
           if (answer.outcome)
             log::warn("record.outdated",
                       {{"sandbox", id}, {"reason", answer.outcome}});
         });
}

} // namespace

void list_declared(node_pointer self, const config::sandbox_section& declared) {
  const auto& st = self->state;
  const bool is_ours = declared.attach.empty()
                       && declared.driver != config::driver_kind::simulated;
  auto& managed =
    enlist(self, {.id = declared.name,
                  .origin = declared.attach.empty() ? sandbox_origin::declared
                                                    : sandbox_origin::attached,
                  .spec = declared,
                  .created_at = st.services.wall(),
                  .limits = is_ours ? merge(declared.limits.limits(),
                                            st.settings.limits.sandbox.limits())
                                    : sandbox_limits{}});
  managed.is_waiting = true;
  on_changed(self, sandbox_info{managed.info});
}

void start_declared(node_pointer self, const sandbox_id& id) {
  auto& st = self->state;
  auto& managed = st.sandboxes.at(id);
  managed.is_waiting = false;
  if (auto admitted = admit_vm(self, managed.record); !admitted)
    return on_started(self, id, {.outcome = admitted.error()});
  // Many start one after the other: each has the time for itself.
  auto job = host_job{[services = shared_services(self),
                       record = managed.record, leash = st.settings.leash_pid,
                       clock = &self->home_system().clock()] {
    return start_vm(*services, record, leash, {}, clock->now() + start_limit);
  }};
  run_on(
    self, managed.hand, std::move(job),
    [self, id](const host_answer& answer) { on_started(self, id, answer); });
}

void forget(node_pointer self, const sandbox_id& id,
            std::function<void()> then) {
  const auto it = self->state.sandboxes.find(id);
  if (it == self->state.sandboxes.end())
    return then();
  it->second.is_ending = true;
  const auto place = place_of(it->second.record);
  auto job = host_job{[services = shared_services(self), place] {
    services->forget_record(place);
    return host_answer{};
  }};
  run_on(self, it->second.hand, std::move(job),
         [self, id, place, then](const host_answer&) {
           self->state.sandboxes.erase(id);
           self->state.watch.lost.erase(place);
           note_departed(self, place);
           uplink::tell_removed(self, id);
           count_load(self);
           then();
         });
}

void bring_up(node_pointer self) {
  auto& st = self->state;
  for (const auto& info : st.services.store->list())
    st.snapshots[info.tag] = info;
  for (const auto& entry : st.services.ended)
    st.operations.learn(entry.request, entry.report);
  for (const auto& found : st.services.adopted)
    adopt(self, found);
  flatten_deep(self);
  for (const auto& each : st.services.unread)
    list_unread(self, each);
  for (const auto& record : std::exchange(st.services.doomed, {}))
    watch_for(self, {.record = record, .is_doomed = true});
  const bool all_are_read = std::exchange(st.services.unread, {}).empty();
  st.services.adopted.clear();
  st.services.ended.clear();
  // One that was found, but not its VM, may still run: not a second one.
  auto fresh = std::vector<sandbox_id>{};
  for (const auto& declared : st.settings.declared)
    if (!st.sandboxes.contains(declared.name)) {
      list_declared(self, declared);
      if (all_are_read)
        fresh.push_back(declared.name);
      else
        hold(self, declared.name);
    }
  after_memory_look(self, [self, fresh] {
    for (const auto& id : fresh)
      start_declared(self, id);
  });
}

void tell_state(node_pointer self, const sandbox_info& now) {
  const auto& st = self->state;
  uplink::tell(self,
               fleet_event{.at = st.services.wall(),
                           .kind = "sandbox.changed",
                           .host = st.settings.host,
                           .sandbox = now.id,
                           .detail = std::string{schema::name_of(now.state)}});
}

void on_changed(node_pointer self, const sandbox_info& changed) {
  auto& st = self->state;
  const auto it = st.sandboxes.find(changed.id);
  if (it == st.sandboxes.end())
    return;
  if (it->second.info.state != changed.state)
    tell_state(self, changed);
  it->second.info = changed;
  keep_count(self, it->second);
  uplink::tell(self, changed);
}

void on_sandbox_down(node_pointer self, const caf::down_msg& down) {
  auto& sandboxes = self->state.sandboxes;
  const auto it = std::ranges::find_if(sandboxes, [&](const auto& item) {
    return item.second.handle && item.second.handle.address() == down.source;
  });
  if (it == sandboxes.end())
    return;
  // It ends by itself when its VM was stopped, and its last words may come
  // after this.
  if (!down.reason) {
    it->second.handle = sandbox_actor{};
    return;
  }
  lose(self, it->first, sandbox_state::stuck,
       "nobody looks after its VM: " + to_string(from_caf_error(down.reason))
         + "; it is looked for again");
}

caf::result<done> on_stop(node_pointer self, const stop_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  const auto it = st.sandboxes.find(request.sandbox);
  if (it == st.sandboxes.end())
    return to_caf_error(ec::unknown_sandbox, request.sandbox.value);
  if (it->second.info.state == sandbox_state::starting)
    return to_caf_error(ec::not_ready,
                        request.sandbox.value + " is being started ("
                          + it->second.info.note
                          + "); stop it when it runs, or wait for the end of "
                            "its start's deadline");
  auto& managed = it->second;
  if (managed.is_ending)
    return to_caf_error(ec::not_ready,
                        request.sandbox.value + " is being stopped");
  if (auto fine = check_switch(managed); !fine)
    return to_caf_error(fine.error());
  managed.is_ending = true;
  auto promise = self->make_response_promise<done>();
  auto then = [self, id = request.sandbox,
               promise](const failure& why) mutable {
    if (!why)
      return forget(self, id,
                    [promise]() mutable { promise.deliver(done{"stopped"}); });
    if (const auto kept = self->state.sandboxes.find(id);
        kept != self->state.sandboxes.end())
      kept->second.is_ending = false;
    promise.deliver(to_caf_error(why));
  };
  end_sandbox(self, managed, std::move(then));
  return promise;
}

void stop_all(node_pointer self, std::function<void()> then) {
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [left, then] {
    if (--*left == 0)
      then();
  };
  for (auto& [id, managed] : self->state.sandboxes) {
    const bool is_lost = !managed.handle
                         && managed.info.state == sandbox_state::stuck
                         && managed.info.origin != sandbox_origin::attached
                         && !managed.info.directory.empty();
    if (!managed.handle && !is_lost)
      continue;
    ++*left;
    end_sandbox(
      self, managed,
      [self, id = id, one_less,
       origin = managed.info.origin](const failure& why) {
        if (why)
          log::warn("sandbox.left", {{"sandbox", id}, {"reason", why}});
        // The fleet file does not bring a child back: nothing is kept.
        const auto kept = self->state.sandboxes.find(id);
        if (!why && origin == sandbox_origin::restored)
          forget(self, id, one_less);
        else if (!why && kept != self->state.sandboxes.end())
          release(self, kept->second, one_less);
        else
          one_less();
      });
  }
  end_doomed(self, one_less);
}

bool is_busy(node_pointer self) {
  const auto& st = self->state;
  return !st.orders.empty() || !st.switches.running.empty()
         || std::ranges::any_of(st.sandboxes, [](const auto& item) {
              return item.second.info.state == sandbox_state::starting;
            });
}

host_worker_actor next_hand(node_pointer self) {
  auto& st = self->state;
  return st.hands[st.next_hand++ % st.hands.size()];
}

void count_load(node_pointer self) {
  auto& st = self->state;
  st.load.branch_slots = st.slots.slots();
  st.load.branches = st.slots.taken();
  st.load.snapshots = st.snapshots.size();
  st.load.sandboxes = 0;
  for (const auto& [id, managed] : st.sandboxes)
    st.load.sandboxes += managed.handle ? 1 : 0;
  uplink::tell_load(self);
}

} // namespace forkfleet::node_work
