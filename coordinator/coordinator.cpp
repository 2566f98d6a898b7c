// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.hpp"

#include <algorithm>
#include <utility>

#include "actors/harden.hpp"
#include "coordinator/coordinator_work.hpp"
#include "coordinator/request_service.hpp"

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
            coordinator_access access) {
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
  st.access = std::move(access);
  st.settings = std::move(settings);
}

/// A handler of what clients ask: lets it through if the sender's role
/// allows it, and notes who asked.
template <class Request, class Reply, class Work>
auto guarded(coordinator_pointer self, Work work) {
  return [self, work](const Request& x) -> caf::result<Reply> {
    return work::serve_request<Request, Reply>(self, x, work);
  };
}

void on_tick(coordinator_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  work::sweep_nodes(self);
  work::expire_waiters(self);
  work::serve_followers(self);
  work::audit_suppressed(self);
  if (now >= st.next_probe) {
    st.next_probe = now + st.settings.heartbeat;
    work::probe(self);
  }
  self->delayed_send(self, tick_interval(st.settings), caf::tick_atom_v);
}

} // namespace

local_coordinator_actor::behavior_type
coordinator(coordinator_pointer self, coordinator_settings settings,
            coordinator_access access) {
  harden(self);
  self->set_down_handler(
    [self](const caf::down_msg& x) { work::on_down(self, x.source); });
  set_up(self, std::move(settings), std::move(access));
  on_tick(self);
  return {
    guarded<branch_request, branch_report>(self, work::on_branch),
    guarded<operation_query, operation_status>(self, work::on_query),
    guarded<restore_request, restore_report>(self, work::on_restore),
    guarded<stop_request, done>(self, work::on_stop),
    guarded<remove_request, done>(self, work::on_remove),
    guarded<cancel_request, done>(self, work::on_cancel),
    guarded<flatten_request, done>(self, work::on_flatten),
    guarded<verify_request, verify_report>(self, work::on_verify),
    guarded<export_request, archive_report>(self, work::on_export),
    guarded<import_request, archive_report>(self, work::on_import),
    guarded<annotate_request, inspect_report>(self, work::on_annotate),
    guarded<inspect_request, inspect_report>(self, work::on_inspect),
    guarded<compare_request, compare_report>(self, work::on_compare),
    guarded<exec_request, exec_report>(self, work::on_exec),
    guarded<file_request, file_report>(self, work::on_file),
    guarded<console_request, console_report>(self, work::on_console),
    guarded<fsck_request, fsck_report>(self, work::on_fsck),
    guarded<doctor_request, doctor_report>(self, work::on_doctor),
    guarded<rollback_request, restore_report>(self, work::on_rollback),
    guarded<promote_request, restore_report>(self, work::on_promote),
    guarded<nodes_request, node_list>(self, work::on_nodes),
    guarded<sandboxes_request, sandbox_list>(self, work::on_sandboxes),
    guarded<snapshots_request, snapshot_list>(self, work::on_snapshots),
    guarded<events_request, event_list>(self, work::on_events),
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
