// SPDX-License-Identifier: Apache-2.0
// VMs that did not answer a NODE, or whose record could not be read: looked
// for again and again, longer and longer apart, until each is found or has
// certainly ended. Meanwhile they are listed as stuck, and their names and
// directories stay taken.
#include "node/node_watch.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/sandbox_birth.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

constexpr auto wait_min = milliseconds{500};
constexpr auto wait_max = milliseconds{15'000};

/// What a look came to besides a VM: its record, where that was read.
struct look_result {
  sandbox_record record = {};
  vmm_health health = vmm_health::running;
};

void remind(node_pointer self) {
  auto& watch = self->state.watch;
  if (watch.lost.empty() || std::exchange(watch.is_reminded, true))
    return;
  self->delayed_send(self, caf::timespan{wait_min}, tick{lost_reminder});
}

/// It was found: whatever it was in the middle of ends here.
host_answer take_in(const node_services& services, const lost_vm& lost,
                    look_result& seen, const vmm_ptr& vm,
                    deadline_point until) {
  const auto& record = seen.record;
  const bool is_nameless =
    record.is_unfinished && !vm->describe().agent.empty();
  if (lost.is_doomed || is_nameless) {
    const auto ended = vm->stop(until);
    return {.outcome = ended ? failure{ec::vmm_gone, "it was ended: it had "
                                                     "no identity of its own"}
                             : ended.error()};
  }
  seen.health = vm->health(until);
  if (seen.health == vmm_health::paused && lost.was_standing)
    seen.health = vm->resume(until) ? vmm_health::running : vmm_health::stuck;
  if (seen.health == vmm_health::gone)
    return {.outcome = {ec::vmm_gone, vm->trouble()}};
  if (services.networks)
    if (auto made = services.networks->make(record.network); !made)
      log::warn("network.left",
                {{"sandbox", record.id}, {"reason", made.error()}});
  if (std::exchange(seen.record.is_unfinished, false))
    if (auto kept = services.keep_record(seen.record); !kept)
      log::warn("record.outdated",
                {{"sandbox", record.id}, {"reason", kept.error()}});
  return {.vmm = vm, .health = seen.health};
}

/// One look, on the calling thread.
host_answer look_once(const node_services& services, const lost_vm& lost,
                      look_result& seen, int leash, deadline_point until) {
  seen.record = lost.record;
  if (lost.is_unread && services.load_record) {
    auto record = services.load_record(place_of(lost.record));
    if (!record)
      return {.outcome = record.error()};
    seen.record = std::move(*record);
  }
  const auto vm = find_vm(services, seen.record, lost.directory, leash, until);
  if (!vm && (vm.error().code != ec::vmm_gone || !lost.is_doomed))
    return {.outcome = vm.error()};
  auto answer = vm ? take_in(services, lost, seen, *vm, until)
                   : host_answer{.outcome = vm.error()};
  if (lost.is_doomed && answer.outcome.code == ec::vmm_gone)
    services.forget_record(place_of(lost.record));
  return answer;
}

sandbox_state state_of(vmm_health health) {
  switch (health) {
    case vmm_health::running:
      return sandbox_state::running;
    case vmm_health::paused:
    case vmm_health::no_space:
      return sandbox_state::paused;
    case vmm_health::stuck:
    case vmm_health::gone:
      break;
  }
  return sandbox_state::stuck;
}

/// Starts what waited for the last record that could not be read.
void release_held(node_pointer self) {
  auto& watch = self->state.watch;
  const bool are_read = std::ranges::none_of(
    watch.lost, [](const auto& item) { return item.second.is_unread; });
  if (!are_read)
    return;
  for (const auto& id : std::exchange(watch.held, {}))
    if (const auto found = self->state.sandboxes.find(id);
        found != self->state.sandboxes.end() && found->second.is_waiting) {
      found->second.info.state = sandbox_state::starting;
      start_declared(self, id);
    }
}

/// The record of a place was read: the sandbox gets its name.
bool take_name(node_pointer self, const sandbox_id& place,
               const sandbox_record& record) {
  auto& st = self->state;
  const auto listed = st.sandboxes.find(place);
  if (record.id != place) {
    // Its name may be held for it, or be another's by now.
    const auto named = st.sandboxes.find(record.id);
    if (named != st.sandboxes.end() && !st.watch.held.contains(record.id))
      return false;
    if (listed != st.sandboxes.end()
        && place_of(listed->second.record) == place) {
      st.sandboxes.erase(listed);
      uplink::tell_removed(self, place);
    }
    st.watch.held.erase(record.id);
    st.sandboxes.erase(record.id);
  }
  auto info = sandbox_info{};
  if (const auto known = st.sandboxes.find(record.id);
      known != st.sandboxes.end())
    info = known->second.info;
  auto& managed = st.sandboxes[record.id];
  managed.record = record;
  managed.hand = managed.hand ? managed.hand : next_hand(self);
  managed.info = info_of_record(self, record);
  managed.info.note = info.note;
  return true;
}

void found(node_pointer self, const sandbox_id& place, const look_result& seen,
           const host_answer& answer) {
  auto& st = self->state;
  auto& lost = st.watch.lost.at(place);
  const auto& id = seen.record.id;
  const bool has_name = !lost.is_unread || take_name(self, place, seen.record);
  const auto it = st.sandboxes.find(id);
  const bool is_ours = has_name && it != st.sandboxes.end()
                       && place_of(it->second.record) == place
                       && !it->second.handle && !it->second.is_ending
                       && it->second.switching.empty();
  // Who is at work on it has it; the next look finds what came of that.
  if (!is_ours)
    return;
  st.watch.lost.erase(place);
  it->second.record = seen.record;
  auto info = it->second.info;
  info.state = state_of(answer.health);
  info.note = info.state == sandbox_state::paused ? "paused by somebody else"
                                                  : std::string{};
  log::info("sandbox.found", {{"sandbox", id}});
  manage(self, info, answer.vmm);
  release_held(self);
}

void not_found(node_pointer self, const sandbox_id& place,
               const look_result& seen, const failure& why) {
  auto& st = self->state;
  auto& lost = st.watch.lost.at(place);
  const auto id = seen.record.id;
  if (why.code == ec::vmm_gone) {
    const bool is_doomed = lost.is_doomed;
    const bool has_name =
      !is_doomed && (!lost.is_unread || take_name(self, place, seen.record));
    st.watch.lost.erase(place);
    if (is_doomed)
      note_departed(self, place);
    else if (has_name)
      on_lost_ended(self, id, why);
    return release_held(self);
  }
  lost.wait = std::min(lost.wait * 2, wait_max);
  lost.due = self->clock().now() + lost.wait;
  const auto it = st.sandboxes.find(lost.record.id);
  if (lost.is_doomed || it == st.sandboxes.end() || it->second.handle
      || it->second.info.state != sandbox_state::stuck)
    return;
  auto changed = it->second.info;
  changed.note = to_string(why) + "; it is looked for again";
  if (changed.note != it->second.info.note)
    on_changed(self, changed);
}

void look(node_pointer self, const sandbox_id& place, lost_vm& lost) {
  auto& st = self->state;
  lost.is_looked_for = true;
  const auto hand = st.watch.idle.back();
  st.watch.idle.pop_back();
  auto seen = std::make_shared<look_result>();
  auto job = host_job{[services = shared_services(self), lost, seen,
                       leash = st.settings.leash_pid,
                       clock = &self->home_system().clock()] {
    return look_once(*services, lost, *seen, leash, clock->now() + adopt_limit);
  }};
  run_on(self, hand, std::move(job),
         [self, place, hand, seen](const host_answer& answer) {
           auto& watch = self->state.watch;
           watch.idle.push_back(hand);
           const auto it = watch.lost.find(place);
           // Somebody stopped it meanwhile.
           if (it == watch.lost.end())
             return;
           it->second.is_looked_for = false;
           if (answer.vmm)
             found(self, place, *seen, answer);
           else
             not_found(self, place, *seen, answer.outcome);
         });
}

} // namespace

void watch_for(node_pointer self, lost_vm lost) {
  const auto place = place_of(lost.record);
  lost.wait = wait_min;
  lost.due = self->clock().now() + lost.wait;
  self->state.watch.lost[place] = std::move(lost);
  remind(self);
}

void look_for_lost(node_pointer self) {
  auto& st = self->state;
  st.watch.is_reminded = false;
  if (st.draining)
    return;
  const auto now = self->clock().now();
  for (auto& [place, lost] : st.watch.lost)
    if (!lost.is_looked_for && lost.due <= now && !st.watch.idle.empty())
      look(self, place, lost);
  remind(self);
}

void end_doomed(node_pointer self, std::function<void()> then) {
  auto& st = self->state;
  auto left = std::make_shared<std::size_t>(1);
  const auto one_less = [left, then = std::move(then)] {
    if (--*left == 0)
      then();
  };
  for (const auto& [place, lost] : st.watch.lost) {
    if (!lost.is_doomed)
      continue;
    ++*left;
    auto job = host_job{[services = shared_services(self), lost = lost,
                         leash = st.settings.leash_pid,
                         clock = &self->home_system().clock()] {
      auto answer = end_vm(*services, lost.record, lost.directory, leash,
                           clock->now() + adopt_limit);
      if (!answer.outcome)
        services->forget_record(place_of(lost.record));
      return answer;
    }};
    run_on(self, next_hand(self), std::move(job),
           [place = place, one_less](const host_answer& answer) {
             if (answer.outcome)
               log::error("sandbox.left",
                          {{"place", place}, {"reason", answer.outcome}});
             one_less();
           });
  }
  one_less();
}

void on_lost_ended(node_pointer self, const sandbox_id& id,
                   const failure& why) {
  auto& st = self->state;
  const auto it = st.sandboxes.find(id);
  if (it == st.sandboxes.end() || it->second.handle || it->second.is_ending)
    return;
  const auto& record = it->second.record;
  const bool was_whole =
    record.origin == sandbox_origin::restored && !record.is_unfinished;
  if (was_whole) {
    auto changed = it->second.info;
    changed.state = sandbox_state::gone;
    changed.note = why.message;
    return on_changed(self, changed);
  }
  forget(self, id, [self, id] {
    const auto& known = self->state.settings.declared;
    const auto declared =
      std::ranges::find_if(known, [&](const auto& x) { return x.name == id; });
    if (declared == known.end() || self->state.draining)
      return;
    list_declared(self, *declared);
    start_declared(self, id);
  });
}

} // namespace forkfleet::node_work
