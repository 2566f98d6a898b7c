// SPDX-License-Identifier: Apache-2.0
#include "node/child_birth.hpp"

#include <string>
#include <utility>

namespace forkfleet::node_work {

namespace {

/// For the VM of a child that failed to end.
constexpr auto end_limit = std::chrono::seconds{10};

/// The files of the child's snapshot, in no more segments than its driver can
/// map: flattened at first use, and kept.
expected<snapshot_files> open_parent(const node_services& services,
                                     const sandbox_record& record,
                                     const stop_asked& stop) {
  auto files = services.store->open(record.parent);
  const auto driver =
    services.drivers.find(std::string{schema::name_of(record.spec.driver)});
  if (!files || driver == services.drivers.end()
      || files->memory.segments.size() <= driver->second->segments_max())
    return files;
  files->hold.reset();
  if (auto flat = services.store->flatten(record.parent, stop); !flat)
    return tl::unexpected(flat.error());
  return services.store->open(record.parent);
}

} // namespace

sandbox_record child_record(node_pointer self, const sandbox_id& id,
                            const operation_id& operation,
                            const snapshot_info& snapshot) {
  auto spec = config::sandbox_section{};
  spec.name = id;
  spec.host = self->state.settings.host;
  spec.memory = {snapshot.memory_bytes};
  for (const auto& entry : enum_table(config::driver_kind{}))
    if (entry.name == snapshot.driver)
      spec.driver = entry.value;
  return {.id = id,
          .origin = sandbox_origin::restored,
          .spec = std::move(spec),
          .parent = snapshot.tag,
          .operation = operation,
          .is_unfinished = true,
          .created_at = self->state.services.wall()};
}

host_answer start_child(const node_services& services,
                        const sandbox_record& record, int leash_pid,
                        deadline_point until, const caf::actor_clock& clock) {
  const auto stop = [&clock, until] { return clock.now() >= until; };
  auto files = open_parent(services, record, stop);
  if (!files)
    return {.outcome = files.error()};
  auto child = record;
  child.spec.vcpus = files->contract.vcpus;
  return start_vm(services, child, leash_pid, std::move(*files), until);
}

host_answer ask_guest(const sandbox_record& child, const vmm_ptr& vm,
                      const identity_plan& plan, const wall_clock& wall,
                      deadline_point until) {
  const auto socket = vm->describe().agent;
  if (socket.empty())
    return {.outcome = {ec::unsupported,
                        "snapshot " + child.parent.value
                          + " is of a guest without an agent: its children "
                            "are started, never ready (guest_agent in the "
                            "fleet file)"}};
  auto receipt = give_identity(socket, plan, wall, until);
  if (!receipt)
    return {.outcome = receipt.error()};
  return {.vmm = vm, .identity = *receipt};
}

host_answer end_nameless(const node_services& services,
                         const sandbox_record& child, const vmm_ptr& vm,
                         const host_answer& asked) {
  const bool is_gone = end_child(services, child, *vm);
  return {.outcome = asked.outcome,
          .vmm = is_gone ? vmm_ptr{} : vm,
          .is_left = !is_gone};
}

bool end_child(const node_services& services, const sandbox_record& child,
               vmm& vm) {
  const auto ended = vm.stop(std::chrono::steady_clock::now() + end_limit);
  if (ended)
    services.forget_record(place_of(child));
  return ended.has_value();
}

} // namespace forkfleet::node_work
