// SPDX-License-Identifier: Apache-2.0
#include "node/sandbox_birth.hpp"

#include <utility>

#include "actors/log.hpp"
#include "node/node_work.hpp"
#include "node/sandbox.hpp"
#include "node/sandbox_switch.hpp"
#include "node/snapshot_worker.hpp"

namespace forkfleet::node_work {

namespace {

/// To see that nothing of a start that failed is left.
constexpr auto clear_max = std::chrono::seconds{10};

/// A detached worker in production, a plain one under the simulation.
worker_factory make_worker_factory(node_pointer self) {
  auto* sys = &self->home_system();
  return [sys, threads = self->state.services.threads](
           const branch_context& context) -> snapshot_worker_actor {
    if (threads)
      return sys->spawn<caf::detached>(snapshot_worker, context);
    return sys->spawn(snapshot_worker, context);
  };
}

/// Everything of a new sandbox that is known before its VM exists.
sandbox_info blank_info(node_pointer self, const sandbox_record& record) {
  return {.id = record.id,
          .host = self->state.settings.host,
          .state = sandbox_state::starting,
          .origin = record.origin,
          .driver = std::string{schema::name_of(record.spec.driver)},
          .memory_bytes = record.spec.memory.value,
          .vcpus = record.spec.vcpus,
          .parent = record.parent,
          .branches = record.branches,
          .started_at = record.created_at,
          .note = "its VM is being started",
          .operation = record.operation,
          .limits = record.limits,
          .cgroup = record.cgroup,
          .network = record.network};
}

expected<vmm_driver_ptr> driver_of(const node_services& services,
                                   const sandbox_record& record) {
  const auto name = std::string{schema::name_of(record.spec.driver)};
  const auto driver = services.drivers.find(name);
  if (driver == services.drivers.end())
    return fail(ec::unsupported, "this node has no driver called " + name);
  return driver->second;
}

/// Makes the cgroup that the record names; what cannot be enforced in it is
/// remembered as well.
expected<made_cgroup> limit_vm(const node_services& services,
                               const sandbox_record& record) {
  if (record.limits.empty() || !services.cgroups)
    return made_cgroup{};
  auto made = services.cgroups->make(place_of(record), record.limits);
  if (!made || made->unenforced.empty())
    return made;
  auto changed = record;
  changed.unenforced = made->unenforced;
  if (auto kept = services.keep_record(changed); !kept)
    return tl::unexpected(kept.error());
  return made;
}

/// How the VM of this record is going to be connected.
expected<sandbox_network>
plan_network(const node_services& services, const sandbox_record& record,
             const std::optional<snapshot_files>& snapshot) {
  const auto wanted =
    snapshot ? network_of(snapshot->contract).mode : record.spec.network.mode;
  if (wanted == network_mode::none)
    return sandbox_network{};
  if (!services.networks)
    return fail(ec::unsupported, "this node connects no sandboxes");
  return snapshot
           ? services.networks->plan_child(snapshot->contract, place_of(record))
           : services.networks->plan(record.spec.network, place_of(record));
}

/// Firecracker writes its snapshots itself, where the node tells it to.
bool takes_user(const sandbox_record& record) {
  return record.spec.driver == config::driver_kind::qemu
         && record.spec.attach.empty();
}

/// What the VM runs in, as its record tells.
expected<made_cgroup> make_surroundings(const node_services& services,
                                        const sandbox_record& record,
                                        const std::string& directory) {
  if (services.users && takes_user(record))
    if (auto claimed = services.users->claim(directory); !claimed)
      return tl::unexpected(claimed.error());
  if (services.networks)
    if (auto made = services.networks->make(record.network); !made)
      return tl::unexpected(made.error());
  return limit_vm(services, record);
}

sandbox_setup setup_of(node_pointer self, const managed_sandbox& managed,
                       const vmm_ptr& vmm) {
  const auto& st = self->state;
  const auto me = local_node_actor{self};
  return {
    .info = managed.info,
    .branching = {.vmm = vmm,
                  .store = st.services.store,
                  .journal = st.services.journal,
                  .host = st.settings.host,
                  .parent = managed.info.parent,
                  .limits = managed.record.limits,
                  .policy = st.settings.branch,
                  .gate = st.services.gate,
                  .wait_until = st.services.wait_until,
                  .wall = st.services.wall,
                  .tell =
                    [me](const fleet_event& x) { caf::anon_send(me, x); }},
    .make_worker = make_worker_factory(self),
    .hands = managed.hand,
    .node = me,
    .console_bytes = st.services.console_bytes,
    .probe_interval = st.settings.probe_interval,
  };
}

} // namespace

void name_cgroup(node_pointer self, sandbox_record& record) {
  const auto& cgroups = self->state.services.cgroups;
  if (record.cgroup.empty() && cgroups && !record.limits.empty())
    record.cgroup = cgroups->path_of(place_of(record));
}

managed_sandbox& enlist(node_pointer self, sandbox_record record) {
  // A VM that was promoted may lie where the name suggests.
  if (record.place.empty()) {
    const auto place = free_place(record.id, places_in_use(self));
    record.place = place == record.id ? sandbox_id{} : place;
  }
  name_cgroup(self, record);
  auto& managed = self->state.sandboxes[record.id];
  managed = {.info = blank_info(self, record),
             .record = record,
             .hand = next_hand(self)};
  return managed;
}

void note_made(sandbox_record& record, sandbox_info& info,
               const host_answer& answer) {
  record.unenforced = answer.cgroup.unenforced;
  info.unenforced = answer.cgroup.unenforced;
  info.cgroup = answer.cgroup.path;
  record.network = answer.network;
  info.network = answer.network;
}

std::shared_ptr<node_services> shared_services(node_pointer self) {
  const auto& all = self->state.services;
  return std::make_shared<node_services>(
    node_services{.drivers = all.drivers,
                  .images = all.images,
                  .store = all.store,
                  .journal = all.journal,
                  .keep_record = all.keep_record,
                  .forget_record = all.forget_record,
                  .directory_of = all.directory_of,
                  .load_record = all.load_record,
                  .cgroups = all.cgroups,
                  .users = all.users,
                  .networks = all.networks,
                  .find_archive = all.find_archive,
                  .console_bytes = all.console_bytes});
}

host_answer start_vm(const node_services& services, sandbox_record record,
                     int leash_pid, std::optional<snapshot_files> snapshot,
                     deadline_point until) {
  const auto driver = driver_of(services, record);
  if (!driver)
    return {.outcome = driver.error()};
  auto network = plan_network(services, record, snapshot);
  if (!network)
    return {.outcome = network.error()};
  record.network = std::move(*network);
  auto directory = services.keep_record(record);
  if (!directory) {
    // Nothing of it was made; its addresses are free again.
    if (services.networks)
      static_cast<void>(services.networks->remove(record.network).has_value());
    return {.outcome = directory.error()};
  }
  auto made = make_surroundings(services, record, *directory);
  auto vm = made ? (*driver)->start({.id = place_of(record),
                                     .directory = *directory,
                                     .spec = record.spec,
                                     .snapshot = std::move(snapshot),
                                     .leash_pid = leash_pid,
                                     .cgroup = made->path,
                                     .network = record.network,
                                     .images = services.images,
                                     .output_bytes = services.console_bytes},
                                    until)
                 : tl::unexpected(made.error());
  if (!vm) {
    auto outcome = vm.error();
    const auto cleared = (*driver)->clear(
      *directory, std::chrono::steady_clock::now() + clear_max);
    if (!cleared) {
      outcome.message += "; and " + cleared.error().message;
      return {.outcome = std::move(outcome),
              .text = std::move(*directory),
              .network = std::move(record.network),
              .is_left = true};
    }
    services.forget_record(place_of(record));
    return {.outcome = std::move(outcome)};
  }
  return {.vmm = std::move(*vm),
          .text = std::move(*directory),
          .cgroup = *made,
          .network = std::move(record.network)};
}

sandbox_info info_of_record(node_pointer self, const sandbox_record& record) {
  auto result = blank_info(self, record);
  result.state = sandbox_state::stuck;
  result.note = {};
  if (const auto& find = self->state.services.directory_of)
    result.directory = find(place_of(record));
  result.identity = record.identity;
  result.unenforced = record.unenforced;
  result.switched_by = record.switched_by;
  return result;
}

expected<vmm_ptr> find_vm(const node_services& services,
                          const sandbox_record& record,
                          const std::string& directory, int leash_pid,
                          deadline_point until) {
  const auto driver = driver_of(services, record);
  if (!driver)
    return tl::unexpected(driver.error());
  auto where = directory;
  if (where.empty() && services.directory_of)
    where = services.directory_of(place_of(record));
  return (*driver)->adopt({.id = place_of(record),
                           .directory = std::move(where),
                           .spec = record.spec,
                           .leash_pid = leash_pid},
                          until);
}

host_answer end_vm(const node_services& services, const sandbox_record& record,
                   const std::string& directory, int leash_pid,
                   deadline_point until) {
  const auto vm = find_vm(services, record, directory, leash_pid, until);
  if (!vm)
    return {.outcome =
              vm.error().code == ec::vmm_gone ? failure{} : vm.error()};
  const auto stopped = (*vm)->stop(until);
  return {.outcome = stopped ? failure{} : stopped.error()};
}

void manage(node_pointer self, const sandbox_info& info, const vmm_ptr& vmm) {
  auto& managed = self->state.sandboxes.at(info.id);
  const auto known = vmm->describe();
  managed.info = info;
  managed.info.pid = known.pid;
  managed.info.memory_bytes = known.memory_bytes;
  managed.info.vcpus = known.vcpus;
  managed.info.console = known.console;
  managed.info.debug_console = known.debug_console;
  managed.info.agent = known.agent;
  if (const auto& missing = managed.info.unenforced; !missing.empty()) {
    log::warn("limits.unenforced", {{"sandbox", info.id}, {"which", missing}});
    if (managed.info.note.empty())
      managed.info.note = "its limits are not all enforced; see: inspect";
  }
  if (const auto& lacks = managed.info.network.note; !lacks.empty()) {
    log::warn("network.lacking", {{"sandbox", info.id}, {"why", lacks}});
    if (managed.info.note.empty())
      managed.info.note = lacks;
  }
  managed.handle = self->spawn(sandbox, setup_of(self, managed, vmm));
  self->monitor(managed.handle);
  tell_state(self, managed.info);
  on_changed(self, sandbox_info{managed.info});
  count_load(self);
}

} // namespace forkfleet::node_work
