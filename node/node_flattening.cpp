// SPDX-License-Identifier: Apache-2.0
// Keeps chains short: what has become too deep is flattened in the
// background, one snapshot at a time.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// How often one snapshot is tried, and how long it rests in between.
constexpr int attempts_max = 3;
constexpr auto rest = std::chrono::seconds{5};

/// What flattening one snapshot may take.
constexpr auto flatten_limit = std::chrono::minutes{30};

bool is_deep(node_pointer self, const snapshot_info& x) {
  return x.depth >= self->state.settings.branch.chain_depth;
}

void tell_flattening(node_pointer self, const char* kind,
                     const snapshot_tag& tag, std::string detail) {
  const auto& st = self->state;
  log::info(kind, {{"tag", tag}, {"detail", detail}});
  uplink::tell(self, fleet_event{.at = st.services.wall(),
                                 .kind = kind,
                                 .host = st.settings.host,
                                 .tag = tag,
                                 .detail = std::move(detail)});
}

/// The next one that is there and still deep; an empty tag for none.
snapshot_tag next_deep(node_pointer self) {
  auto& st = self->state;
  auto& queue = st.flattening.queue;
  while (!queue.empty()) {
    const auto tag = queue.front();
    queue.pop_front();
    const auto it = st.snapshots.find(tag);
    if (it != st.snapshots.end() && is_deep(self, it->second))
      return tag;
  }
  return {};
}

void start_next(node_pointer self);

void on_flattened(node_pointer self, const snapshot_tag& tag,
                  const failure& outcome,
                  const std::vector<snapshot_info>& all) {
  auto& st = self->state;
  take_changes(self, all);
  if (!outcome) {
    st.flattening = {.hand = st.flattening.hand,
                     .queue = std::move(st.flattening.queue)};
    tell_flattening(self, "snapshot.flattened", tag, {});
    return start_next(self);
  }
  const bool is_over = st.draining || !st.snapshots.contains(tag)
                       || ++st.flattening.attempts >= attempts_max;
  tell_flattening(self, "flatten.failed", tag, to_string(outcome));
  if (!is_over) {
    self->delayed_send(self, caf::timespan{rest}, tick{flatten_reminder});
    return;
  }
  st.flattening.attempts = 0;
  st.flattening.tag = {};
  start_next(self);
}

void flatten(node_pointer self, const snapshot_tag& tag) {
  auto& st = self->state;
  auto all = std::make_shared<std::vector<snapshot_info>>();
  auto* clock = &self->home_system().clock();
  auto job = host_job{[store = st.services.store, tag, all, clock,
                       calm_down = st.services.calm_down,
                       is_ending = st.upkeep.is_ending] {
    if (calm_down)
      calm_down();
    const auto until = clock->now() + flatten_limit;
    auto flat = store->flatten(tag, [clock, until, is_ending] {
      return *is_ending || clock->now() >= until;
    });
    *all = store->list();
    return host_answer{.outcome = flat ? failure{} : flat.error()};
  }};
  run_on(self, st.flattening.hand, std::move(job),
         [self, tag, all](const host_answer& answer) {
           on_flattened(self, tag, answer.outcome, *all);
         });
}

void start_next(node_pointer self) {
  auto& st = self->state;
  if (!st.flattening.tag.empty() || st.draining)
    return;
  st.flattening.tag = next_deep(self);
  if (!st.flattening.tag.empty())
    flatten(self, st.flattening.tag);
}

} // namespace

void take_changes(node_pointer self, const std::vector<snapshot_info>& all) {
  auto& known = self->state.snapshots;
  for (const auto& x : all) {
    const auto it = known.find(x.tag);
    // A list that was made before labels were given knows nothing of them.
    auto fresh = x;
    if (it != known.end() && fresh.sequence < it->second.sequence)
      continue;
    if (it != known.end() && fresh.revision < it->second.revision) {
      fresh.labels = it->second.labels;
      fresh.note = it->second.note;
      fresh.revision = it->second.revision;
    }
    if (it == known.end() || it->second == fresh)
      continue;
    it->second = fresh;
    uplink::tell(self, fresh);
  }
}

void flatten_if_deep(node_pointer self, const snapshot_info& snapshot) {
  auto& queue = self->state.flattening.queue;
  if (!is_deep(self, snapshot) || queue.size() >= flatten_queue_max
      || std::ranges::count(queue, snapshot.tag) > 0)
    return;
  queue.push_back(snapshot.tag);
  start_next(self);
}

void flatten_deep(node_pointer self) {
  auto deep = std::vector<snapshot_info>{};
  for (const auto& [tag, info] : self->state.snapshots)
    if (is_deep(self, info))
      deep.push_back(info);
  // The lower ends first: that may do for what is above them.
  std::ranges::sort(deep, {}, &snapshot_info::depth);
  for (const auto& info : deep)
    flatten_if_deep(self, info);
}

void retry_flatten(node_pointer self) {
  const auto tag = self->state.flattening.tag;
  if (!tag.empty())
    flatten(self, tag);
}

} // namespace forkfleet::node_work
