// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "coordinator/coordinator_work.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// Answers one follower if there is something for it or its time is up.
bool serve(const event_log& events, event_follower& follower,
           std::chrono::steady_clock::time_point now) {
  if (!events.has_after(follower.after) && now < follower.until)
    return false;
  follower.promise.deliver(events.after(follower.after));
  return true;
}

} // namespace

node_list on_nodes(coordinator_pointer self, const nodes_request& request) {
  return self->state.nodes.list(request.after, self->clock().now());
}

sandbox_list on_sandboxes(coordinator_pointer self,
                          const sandboxes_request& request) {
  const auto& nodes = self->state.nodes;
  auto result = self->state.names.list(request);
  for (auto& info : result.sandboxes)
    if (!nodes.is_up(info.host))
      info.note = fmt::format("host '{}' is down; this is what it told last",
                              info.host.value);
    else if (!nodes.has_told(info.host))
      info.note = fmt::format("host '{}' joins again; this is what it told "
                              "before",
                              info.host.value);
  return result;
}

snapshot_list on_snapshots(coordinator_pointer self,
                           const snapshots_request& request) {
  auto result = self->state.names.list(request);
  for (auto& info : result.snapshots)
    if (info.subject.empty())
      if (const auto* asked = self->state.ledger.find(info.operation))
        info.subject = asked->intent.subject;
  return result;
}

caf::result<event_list> on_events(coordinator_pointer self,
                                  const events_request& request) {
  auto& st = self->state;
  if (request.from_now)
    return st.events.from_now();
  const auto wait =
    std::clamp(request.wait, milliseconds::zero(), events_wait_max);
  if (st.events.has_after(request.after) || wait == milliseconds::zero())
    return st.events.after(request.after);
  if (st.followers.size() >= st.settings.followers_max)
    return to_caf_error(
      ec::node_busy,
      fmt::format("{} clients wait for events, the most that the coordinator "
                  "takes",
                  st.settings.followers_max));
  auto promise = self->make_response_promise<event_list>();
  st.followers.push_back({.promise = promise,
                          .after = request.after,
                          .until = self->clock().now() + wait});
  return promise;
}

void publish(coordinator_pointer self, fleet_event event) {
  event.at = unix_now(self);
  self->state.events.push(std::move(event));
  serve_followers(self);
}

void serve_followers(coordinator_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  std::erase_if(st.followers, [&](event_follower& follower) {
    return serve(st.events, follower, now);
  });
}

microseconds unix_now(coordinator_pointer self) {
  return std::chrono::duration_cast<microseconds>(
           self->clock().now().time_since_epoch())
         + self->state.settings.unix_offset;
}

} // namespace forkfleet::coordinator_work
