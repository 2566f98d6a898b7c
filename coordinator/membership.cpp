// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// No epoch that a node could have obeyed comes near it.
constexpr uint64_t epoch_max = uint64_t{1} << 62;

/// The node is gone. What waits for it ends now; what runs there stays open
/// until the node is back to tell.
void lose(coordinator_pointer self, const host_name& host, std::string kind,
          std::string why) {
  auto& st = self->state;
  st.nodes.lose(host);
  st.names.interrupt(host);
  if (const auto handle = st.handles.find(host); handle != st.handles.end()) {
    self->demonitor(handle->second.address());
    st.handles.erase(handle);
  }
  st.ledger.doubt_all(host);
  log::warn(kind, {{"host", host}, {"reason", why}});
  publish(self, {.kind = std::move(kind), .host = host, .detail = why});
  fail_operations(self, host);
  fail_errands(self, host);
}

/// Commands must outrank all that the node has obeyed: also another
/// coordinator's of the same number.
void raise_epoch(coordinator_pointer self, const node_hello& hello) {
  auto& st = self->state;
  auto& told = st.epochs_told[hello.host];
  const bool is_foreign = hello.epoch_seen > told;
  if (is_foreign && hello.epoch_seen >= st.epoch) {
    st.epoch = hello.epoch_seen + 1;
    log::info("epoch.raised", {{"host", hello.host}, {"epoch", st.epoch}});
  }
  told = st.epoch;
}

expected<join_kind> admit_hello(coordinator_pointer self,
                                const node_hello& hello,
                                const node_actor& handle) {
  auto& st = self->state;
  if (!handle)
    return fail(ec::invalid_request, "a hello without the node's handle");
  if (hello.epoch_seen >= epoch_max)
    return fail(ec::invalid_request,
                fmt::format("epoch_seen is {}, which no coordinator gave out",
                            hello.epoch_seen));
  if (st.access.may_speak_for)
    if (auto may = st.access.may_speak_for(handle, hello.host); !may)
      return tl::unexpected{may.error()};
  return st.nodes.join(hello, self->clock().now());
}

/// Replaces the handle without a look at the old one: after a reconnect the
/// dead handle and the fresh one compare equal.
void take_handle(coordinator_pointer self, const host_name& host,
                 const node_actor& handle) {
  auto& known = self->state.handles[host];
  if (known)
    self->demonitor(known.address());
  known = handle;
  self->monitor(known);
}

void tell_problems(coordinator_pointer self,
                   const std::vector<lineage_problem>& problems) {
  for (const auto& x : problems) {
    log::warn("name.refused", {{"host", x.host},
                               {"sandbox", x.sandbox},
                               {"tag", x.tag},
                               {"reason", x.message}});
    publish(self, {.kind = "name.refused",
                   .host = x.host,
                   .sandbox = x.sandbox,
                   .tag = x.tag,
                   .detail = x.message});
  }
}

} // namespace

caf::result<node_welcome> on_hello(coordinator_pointer self,
                                   const node_hello& hello,
                                   const node_actor& handle) {
  auto& st = self->state;
  const auto joined = admit_hello(self, hello, handle);
  if (!joined) {
    log::warn("node.refused",
              {{"host", hello.host}, {"reason", joined.error()}});
    return to_caf_error(joined.error());
  }
  raise_epoch(self, hello);
  // The node goes on over a new connection, or a newer one took its place:
  // answers on the way over the old one are lost.
  st.ledger.doubt_all(hello.host);
  if (*joined == join_kind::replaced) {
    fail_operations(self, hello.host);
    fail_errands(self, hello.host);
  }
  take_handle(self, hello.host, handle);
  st.names.begin(hello.host);
  log::info("node.joined", {{"host", hello.host},
                            {"incarnation", hello.incarnation},
                            {"version", hello.version}});
  publish(self, {.kind = "node.joined",
                 .host = hello.host,
                 .detail = fmt::format("incarnation {}", hello.incarnation)});
  return node_welcome{.epoch = st.epoch, .heartbeat = st.settings.heartbeat};
}

caf::result<done> on_inventory(coordinator_pointer self,
                               const inventory_page& page) {
  auto& st = self->state;
  if (auto good = st.nodes.admit(page.host, page.incarnation, page.life); !good)
    return to_caf_error(good.error());
  tell_problems(self, st.names.apply(page));
  for (const auto& told : page.operations)
    on_told(self, page.host, told);
  if (page.whole && page.last) {
    st.nodes.set_inventoried(page.host);
    log::info("node.inventoried", {{"host", page.host}});
  }
  return done{};
}

heartbeat_ack on_heartbeat(coordinator_pointer self,
                           const node_heartbeat& beat) {
  auto& st = self->state;
  const bool known = st.nodes.hear(beat, self->clock().now());
  if (known)
    st.epochs_told[beat.host] = st.epoch;
  return {.epoch = st.epoch, .known = known};
}

caf::result<done> on_node_events(coordinator_pointer self,
                                 const node_events& told) {
  auto& st = self->state;
  if (auto good = st.nodes.admit(told.host, told.incarnation, told.life); !good)
    return to_caf_error(good.error());
  for (auto event : told.events) {
    event.host = told.host;
    st.events.push(std::move(event));
  }
  serve_followers(self);
  return done{};
}

caf::result<done> on_goodbye(coordinator_pointer self,
                             const node_goodbye& goodbye) {
  auto& st = self->state;
  if (auto good =
        st.nodes.admit(goodbye.host, goodbye.incarnation, goodbye.life);
      !good)
    return to_caf_error(good.error());
  st.nodes.leave(goodbye.host);
  lose(self, goodbye.host, "node.left", "it was stopped");
  return done{};
}

void on_down(coordinator_pointer self, const caf::actor_addr& source) {
  auto& handles = self->state.handles;
  const auto found = std::ranges::find_if(
    handles, [&](const auto& item) { return item.second.address() == source; });
  if (found == handles.end())
    return;
  const auto host = found->first;
  lose(self, host, "node.lost", "its connection broke");
}

void sweep_nodes(coordinator_pointer self) {
  auto& st = self->state;
  for (const auto& host : st.nodes.sweep(self->clock().now()))
    lose(self, host, "node.lost",
         fmt::format("silent for {} ms", st.settings.node_timeout.count()));
}

std::vector<host_name> untold(coordinator_pointer self) {
  const auto& st = self->state;
  const auto patience = 2 * st.settings.node_timeout;
  if (self->clock().now() - st.started >= patience)
    return {};
  return st.nodes.missing();
}

failure host_down(const host_name& host) {
  return {ec::node_down,
          fmt::format("the node of host '{}' does not answer", host.value)};
}

} // namespace forkfleet::coordinator_work
