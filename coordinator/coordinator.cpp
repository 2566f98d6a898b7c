// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.hpp"

#include <algorithm>
#include <utility>

#include "actors/harden.hpp"
#include "coordinator/coordinator_work.hpp"

namespace forkfleet {

namespace work = coordinator_work;

namespace {

/// How often the coordinator looks at its clock; a fraction of the heartbeat
/// so that silence is noticed in time.
milliseconds tick_interval(const coordinator_settings& settings) {
  return std::clamp(settings.heartbeat / 4, milliseconds{20},
                    milliseconds{250});
}

void set_up(coordinator_pointer self, coordinator_settings settings,
            hello_check may_speak_for) {
  auto& st = self->state;
  st.epoch = settings.epoch;
  st.dice.seed(settings.seed);
  st.started = self->clock().now();
  st.next_probe = st.started;
  st.nodes = node_table{
    settings.hosts,
    {.heartbeat = settings.heartbeat, .node_timeout = settings.node_timeout}};
  st.ledger = branch_ledger{{.open_max = settings.operations_open_max,
                             .ended_max = settings.operations_kept}};
  st.events = event_log{settings.events_kept};
  st.may_speak_for = std::move(may_speak_for);
  st.settings = std::move(settings);
}

void on_tick(coordinator_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  work::sweep_nodes(self);
  work::expire_waiters(self);
  work::serve_followers(self);
  if (now >= st.next_probe) {
    st.next_probe = now + st.settings.heartbeat;
    work::probe(self);
  }
  self->delayed_send(self, tick_interval(st.settings), caf::tick_atom_v);
}

} // namespace

local_coordinator_actor::behavior_type
coordinator(coordinator_pointer self, coordinator_settings settings,
            hello_check may_speak_for) {
  harden(self);
  self->set_down_handler(
    [self](const caf::down_msg& x) { work::on_down(self, x.source); });
  set_up(self, std::move(settings), std::move(may_speak_for));
  on_tick(self);
  return {
    [self](const branch_request& x) { return work::on_branch(self, x); },
    [self](const operation_query& x) { return work::on_query(self, x); },
    [self](const restore_request& x) { return work::on_restore(self, x); },
    [self](const stop_request& x) { return work::on_stop(self, x); },
    [self](const remove_request& x) { return work::on_remove(self, x); },
    [self](const cancel_request& x) { return work::on_cancel(self, x); },
    [self](const flatten_request& x) { return work::on_flatten(self, x); },
    [self](const verify_request& x) { return work::on_verify(self, x); },
    [self](const export_request& x) { return work::on_export(self, x); },
    [self](const import_request& x) { return work::on_import(self, x); },
    [self](const annotate_request& x) { return work::on_annotate(self, x); },
    [self](const inspect_request& x) { return work::on_inspect(self, x); },
    [self](const compare_request& x) { return work::on_compare(self, x); },
    [self](const exec_request& x) { return work::on_exec(self, x); },
    [self](const file_request& x) { return work::on_file(self, x); },
    [self](const console_request& x) { return work::on_console(self, x); },
    [self](const fsck_request& x) { return work::on_fsck(self, x); },
    [self](const doctor_request& x) { return work::on_doctor(self, x); },
    [self](const rollback_request& x) { return work::on_rollback(self, x); },
    [self](const promote_request& x) { return work::on_promote(self, x); },
    [self](const nodes_request& x) { return work::on_nodes(self, x); },
    [self](const sandboxes_request& x) { return work::on_sandboxes(self, x); },
    [self](const snapshots_request& x) { return work::on_snapshots(self, x); },
    [self](const events_request& x) { return work::on_events(self, x); },
    [self](const node_hello& x, const node_actor& node) {
      return work::on_hello(self, x, node);
    },
    [self](const inventory_page& x) { return work::on_inventory(self, x); },
    [self](const node_heartbeat& x) { return work::on_heartbeat(self, x); },
    [self](const node_events& x) { return work::on_node_events(self, x); },
    [self](const node_goodbye& x) { return work::on_goodbye(self, x); },
    [self](caf::tick_atom) { on_tick(self); },
  };
}

} // namespace forkfleet
