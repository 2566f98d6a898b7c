// SPDX-License-Identifier: Apache-2.0
// How snapshots of a NODE go: by request, and by the retention, which looks
// every now and then and removes what is due, one after the other.
#include <optional>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// Whether a VM of this sandbox may use its parent's files.
bool may_run(const managed_sandbox& managed) {
  return managed.handle || managed.info.state != sandbox_state::gone;
}

/// Why any snapshot may be in use; empty when all records were read.
std::string unread_user(node_pointer self) {
  for (const auto& [place, lost] : self->state.watch.lost)
    if (lost.is_unread)
      return "the record of sandbox " + place.value
             + " cannot be read, and it may run on it";
  return {};
}

/// What children run on, with the name of one.
snapshot_users users_of(node_pointer self) {
  auto result = snapshot_users{};
  for (const auto& [id, managed] : self->state.sandboxes)
    if (!managed.info.parent.empty() && may_run(managed))
      result.emplace(managed.info.parent, id.value + " runs on it");
  for (const auto& [operation, run] : self->state.switches.running)
    result.emplace(run->record.parent, run->name.value + " is put back to it");
  for (const auto& [tag, info] : self->state.snapshots)
    if (self->state.services.store->has_unread_words(tag))
      result.emplace(tag, "its labels cannot be read, and may keep it");
  if (const auto why = unread_user(self); !why.empty())
    for (const auto& [tag, info] : self->state.snapshots)
      result.emplace(tag, why);
  return result;
}

std::vector<snapshot_info> all_of(node_pointer self) {
  auto result = std::vector<snapshot_info>{};
  for (const auto& [tag, info] : self->state.snapshots)
    result.push_back(info);
  return result;
}

/// Removes one on a HOST WORKER, and calls `then` with how that ended. With a
/// revision: only while its labels are those that it stands for.
template <class Then>
void remove(node_pointer self, const snapshot_tag& tag,
            std::optional<uint64_t> revision, Then then) {
  auto job = host_job{[store = self->state.services.store, tag, revision] {
    auto removed = store->remove(tag, revision);
    return host_answer{.outcome = removed ? failure{} : removed.error()};
  }};
  self->state.retention.removing.insert(tag);
  run_on(self, next_hand(self), std::move(job),
         [self, tag, then](const host_answer& x) mutable {
           self->state.retention.removing.erase(tag);
           if (!x.outcome) {
             self->state.snapshots.erase(tag);
             uplink::tell_removed(self, tag);
             count_load(self);
           }
           then(x.outcome);
         });
}

void tell_end(node_pointer self, const snapshot_tag& tag, const char* kind,
              const std::string& detail) {
  const auto& st = self->state;
  log::info(kind, {{"tag", tag}, {"detail", detail}});
  uplink::tell(self, fleet_event{.at = st.services.wall(),
                                 .kind = kind,
                                 .host = st.settings.host,
                                 .tag = tag,
                                 .detail = detail});
}

/// Removes the next of this sweep that is still due.
void expire_next(node_pointer self) {
  auto& st = self->state;
  auto& mine = st.retention;
  while (!mine.is_removing && !mine.queue.empty() && !st.draining) {
    const auto tag = mine.queue.front();
    mine.queue.pop_front();
    // It may be needed by now, or have been given another label.
    const auto verdicts = retention_now(self);
    const auto verdict = verdicts.find(tag);
    if (verdict == verdicts.end() || !verdict->second.is_due)
      continue;
    mine.is_removing = true;
    remove(self, tag, st.snapshots.at(tag).revision,
           [self, tag, why = verdict->second.why](const failure& outcome) {
             self->state.retention.is_removing = false;
             if (outcome)
               tell_end(self, tag, "retention.failed", to_string(outcome));
             else
               tell_end(self, tag, "snapshot.expired", why);
             expire_next(self);
           });
  }
}

} // namespace

caf::result<done> on_remove(node_pointer self, const remove_request& request) {
  auto& st = self->state;
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  if (!st.snapshots.contains(request.tag))
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  if (st.retention.removing.contains(request.tag))
    return to_caf_error(ec::node_busy, request.tag.value + " is being removed");
  for (const auto& [id, managed] : st.sandboxes)
    if (managed.info.parent == request.tag && may_run(managed))
      return to_caf_error(ec::invalid_request, id.value + " runs on "
                                                 + request.tag.value
                                                 + "; stop it first");
  if (const auto why = unread_user(self); !why.empty())
    return to_caf_error(ec::node_busy, request.tag.value + ": " + why
                                         + "; mend or remove that first");
  // A VM that is being started from it is nobody's yet.
  for (const auto& [operation, run] : st.switches.running)
    if (run->record.parent == request.tag)
      return to_caf_error(ec::node_busy, run->name.value
                                           + " is being switched to a VM of "
                                           + request.tag.value + " by "
                                           + operation.value + "; wait for it");
  auto promise = self->make_response_promise<done>();
  remove(self, request.tag, {}, [promise](const failure& outcome) mutable {
    if (outcome)
      promise.deliver(to_caf_error(outcome));
    else
      promise.deliver(done{"removed"});
  });
  return promise;
}

retention_verdicts retention_now(node_pointer self) {
  auto& st = self->state;
  if (st.settings.retention.rules.empty())
    return {};
  const auto passed = std::chrono::duration_cast<microseconds>(
    self->clock().now().time_since_epoch());
  return judge(st.settings.retention, all_of(self), users_of(self),
               st.retention.ages.look(st.services.wall(), passed));
}

void start_retention(node_pointer self) {
  const auto& rules = self->state.settings.retention;
  if (!rules.rules.empty())
    self->delayed_send(self, caf::timespan{rules.sweep},
                       tick{retention_reminder});
}

void sweep(node_pointer self) {
  auto& st = self->state;
  if (st.draining)
    return;
  start_retention(self);
  if (st.retention.is_removing)
    return;
  const auto due = removal_order(retention_now(self), all_of(self),
                                 st.settings.retention.removals_max);
  st.retention.queue = {due.begin(), due.end()};
  expire_next(self);
}

} // namespace forkfleet::node_work
