// SPDX-License-Identifier: Apache-2.0
#include "node/node.hpp"

#include <algorithm>
#include <utility>

#include "actors/harden.hpp"
#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"
#include "node/waiting_work.hpp"

namespace forkfleet {

namespace {

/// Workers for starts, stops, looks and removals.
constexpr std::size_t hands_count = 4;

/// Workers for what takes long and can wait: upkeep.
constexpr std::size_t upkeep_hands_count = 2;

/// Workers for guests that are always there; node_access hires more.
constexpr std::size_t access_hands_count = node_work::access_hands_min;

/// Workers that look for VMs which did not answer: nobody waits behind them.
constexpr std::size_t watch_hands_count = 2;

/// While a NODE drains, it looks this often whether the last branch ended.
constexpr auto drain_poll = caf::timespan{std::chrono::milliseconds{50}};
constexpr uint8_t drain_reminder = 255;

void finish_drain(node_pointer self) {
  uplink::leave(self, [self] {
    auto promises = std::exchange(self->state.drain_promises, {});
    for (auto& promise : promises)
      promise.deliver(done{"drained"});
    for (const auto& [id, managed] : self->state.sandboxes)
      if (managed.handle)
        self->send_exit(managed.handle, caf::exit_reason::user_shutdown);
    for (const auto* hands :
         {&self->state.hands, &self->state.upkeep.hands,
          &self->state.access.hands, &self->state.waiting_hands,
          &self->state.watch.hands})
      for (const auto& hand : *hands)
        self->send_exit(hand, caf::exit_reason::user_shutdown);
    self->quit();
  });
}

/// Waits for what is in flight, ends the VMs if that is asked, leaves.
void drain_step(node_pointer self) {
  auto& st = self->state;
  const bool in_time = self->clock().now() < st.drain_until;
  if (node_work::is_busy(self) && in_time) {
    self->delayed_send(self, drain_poll, tick{drain_reminder});
    return;
  }
  if (st.settings.stop_sandboxes)
    node_work::stop_all(self, [self] { finish_drain(self); });
  else
    finish_drain(self);
}

caf::result<done> on_drain(node_pointer self, const drain_request& request) {
  auto& st = self->state;
  auto promise = self->make_response_promise<done>();
  st.drain_promises.push_back(promise);
  if (std::exchange(st.draining, true))
    return promise;
  log::info("node.draining", {{"host", st.settings.host}});
  node_work::stop_upkeep(self);
  node_work::dismiss_queued(self);
  st.drain_until = self->clock().now() + request.grace;
  self->delayed_send(self, drain_poll, tick{drain_reminder});
  return promise;
}

void on_tick(node_pointer self, const tick& which) {
  if (static_cast<uplink::reminder>(which.which) == uplink::reminder::heartbeat)
    node_work::refresh_load(self);
  if (which.which == drain_reminder)
    return drain_step(self);
  if (which.which == node_work::queue_reminder)
    return node_work::expire_queued(self);
  if (which.which == node_work::flatten_reminder)
    return node_work::retry_flatten(self);
  if (which.which == node_work::retention_reminder)
    return node_work::sweep(self);
  if (which.which == node_work::access_reminder)
    return node_work::leave_guests(self);
  if (which.which == node_work::lost_reminder)
    return node_work::look_for_lost(self);
  uplink::on_reminder(self, which);
}

void set_up(node_pointer self, node_settings settings, node_services services,
            connector_actor connector) {
  auto& st = self->state;
  st.settings = std::move(settings);
  st.services = std::move(services);
  st.connector = std::move(connector);
  st.slots = admission{st.settings.branch_slots, st.settings.branch_queue};
  const auto hire = [self](std::size_t count) {
    auto hands = std::vector<host_worker_actor>{};
    while (hands.size() < count)
      hands.push_back(node_work::hire(self));
    return hands;
  };
  st.hands = hire(hands_count);
  st.upkeep.hands = hire(upkeep_hands_count);
  st.upkeep.idle = st.upkeep.hands;
  st.access.hands = hire(access_hands_count);
  st.access.idle = st.access.hands;
  st.watch.hands = hire(watch_hands_count);
  st.watch.idle = st.watch.hands;
  st.flattening.hand = st.upkeep.hands.emplace_back(hire(1).front());
  st.doctor = st.upkeep.hands.emplace_back(hire(1).front());
  st.fsck.hand = st.upkeep.hands.emplace_back(hire(1).front());
}

} // namespace

local_node_actor::behavior_type node(node_pointer self, node_settings settings,
                                     node_services services,
                                     connector_actor connector) {
  harden(self);
  self->set_down_handler([self](const caf::down_msg& x) {
    uplink::on_down(self, x.source);
    node_work::on_sandbox_down(self, x);
  });
  set_up(self, std::move(settings), std::move(services), std::move(connector));
  node_work::bring_up(self);
  node_work::refresh_load(self);
  node_work::start_retention(self);
  uplink::start(self);
  return {
    [self](const branch_request& x) { return node_work::on_branch(self, x); },
    [self](const operation_query& x) { return node_work::on_query(self, x); },
    [self](const restore_request& x) { return node_work::on_restore(self, x); },
    [self](const stop_request& x) { return node_work::on_stop(self, x); },
    [self](const remove_request& x) { return node_work::on_remove(self, x); },
    [self](const cancel_request& x) { return node_work::on_cancel(self, x); },
    [self](const flatten_request& x) { return node_work::on_flatten(self, x); },
    [self](const verify_request& x) { return node_work::on_verify(self, x); },
    [self](const export_request& x) { return node_work::on_export(self, x); },
    [self](const import_request& x) { return node_work::on_import(self, x); },
    [self](const annotate_request& x) {
      return node_work::on_annotate(self, x);
    },
    [self](const inspect_request& x) { return node_work::on_inspect(self, x); },
    [self](const compare_request& x) { return node_work::on_compare(self, x); },
    [self](const exec_request& x) { return node_work::on_exec(self, x); },
    [self](const file_request& x) { return node_work::on_file(self, x); },
    [self](const console_request& x) { return node_work::on_console(self, x); },
    [self](const fsck_request& x) { return node_work::on_fsck(self, x); },
    [self](const doctor_request& x) { return node_work::on_doctor(self, x); },
    [self](const rollback_request& x) {
      return node_work::on_rollback(self, x);
    },
    [self](const promote_request& x) { return node_work::on_promote(self, x); },
    [self](const tick& x) { on_tick(self, x); },
    [self](const fleet_event& x) { uplink::tell(self, x); },
    [self](const sandbox_info& x) { node_work::on_changed(self, x); },
    [self](const drain_request& x) { return on_drain(self, x); },
  };
}

} // namespace forkfleet
