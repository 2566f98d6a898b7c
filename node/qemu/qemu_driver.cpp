// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/qemu_driver.hpp"

#include <algorithm>
#include <utility>

#include "actors/durable_file.hpp"
#include "node/network/net_space.hpp"
#include "node/qemu/arena.hpp"
#include "node/qemu/attached_machine.hpp"
#include "node/qemu/disk_files.hpp"
#include "node/qemu/guest_status.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/keeper_watch.hpp"
#include "node/qemu/overlay_file.hpp"
#include "node/qemu/qemu_facts.hpp"
#include "node/qemu/qemu_vmm.hpp"
#include "node/qemu/unix_socket.hpp"
#include "node/qemu/vm_end.hpp"
#include "node/qemu/vm_launch.hpp"
#include "node/qemu/vm_owner.hpp"
#include "node/qemu/vm_record.hpp"

namespace forkfleet {

namespace {

using namespace forkfleet::qemu;
using std::chrono::steady_clock;

std::string path_in(const start_plan& plan, const char* name) {
  return plan.directory + "/" + name;
}

vmm_description describe(const start_plan& plan, const machine& x,
                         const vm_record& record) {
  auto result = vmm_description{.pid = record.pid,
                                .memory_bytes = x.memory_bytes,
                                .vcpus = x.vcpus,
                                .accelerator = x.accelerator};
  if (record.attached)
    return result;
  result.console = path_in(plan, console_file);
  if (x.debug_console)
    result.debug_console = path_in(plan, debug_socket);
  if (x.agent)
    result.agent = path_in(plan, agent_socket);
  return result;
}

// The VM of a record that was not completed, when no keeper answers: gone when
// nobody serves its sockets.
expected<process_id> find_unkept(const std::string& directory,
                                 const failure& why) {
  for (const auto& [name, type] : {std::pair{keeper_socket, SOCK_SEQPACKET},
                                   std::pair{qmp_socket, SOCK_STREAM}}) {
    const auto served = is_served(directory + "/" + name, type);
    if (!served)
      return tl::unexpected(served.error());
    if (*served)
      return fail(ec::vmm_unreachable, why.message);
  }
  return fail(ec::vmm_gone, "its VM was never seen to run, and serves nothing");
}

void note_process(vm_record& record, const process_id& process) {
  record.pid = static_cast<uint64_t>(process.pid);
  record.start_ticks = process.start_ticks;
}

} // namespace

struct qemu_driver::shared {
  qemu_driver_settings settings = {};
  std::shared_ptr<arena_pool> arenas = std::make_shared<arena_pool>();
  host_pauses_ptr pauses = std::make_shared<host_pauses>();

  expected<vmm_ptr> launch(const start_plan& plan, deadline_point until);
  expected<vmm_ptr> attach(const start_plan& plan, deadline_point until);
  expected<vmm_ptr> adopt(const start_plan& plan, deadline_point until);
  expected<programs> find() const;
  expected<keeper_command> command(const start_plan& plan,
                                   const planned_machine& planned,
                                   const vm_record& record) const;
  status complete(const start_plan& plan, running_vm& vm, machine& x,
                  vm_record& record, deadline_point until);
  vmm_ptr make_vmm(const start_plan& plan, const vm_record& record,
                   const machine& x, qemu_vmm_parts parts,
                   deadline_point until) const;
};

qemu_driver::qemu_driver(qemu_driver_settings settings)
  : shared_{std::make_shared<shared>()} {
  shared_->settings = std::move(settings);
}

qemu_driver::~qemu_driver() = default;

expected<vmm_ptr> qemu_driver::start(const start_plan& plan,
                                     deadline_point until) {
  if (!plan.snapshot && !plan.spec.attach.empty())
    return shared_->attach(plan, until);
  return shared_->launch(plan, until);
}

status qemu_driver::clear(const std::string& directory, deadline_point until) {
  return end_unfinished(directory, until);
}

expected<vmm_ptr> qemu_driver::adopt(const start_plan& plan,
                                     deadline_point until) {
  return shared_->adopt(plan, until);
}

std::size_t qemu_driver::segments_max() const {
  const auto found = shared_->find();
  return found && !found->preload.empty() ? mappings_max() / 2 : 1;
}

expected<programs> qemu_driver::shared::find() const {
  return find_programs({settings.qemu, settings.keeper, settings.preload});
}

// What starts the VM of this record; for a child of a chain with its overlay
// written down.
expected<keeper_command>
qemu_driver::shared::command(const start_plan& plan,
                             const planned_machine& planned,
                             const vm_record& record) const {
  const auto& x = planned.what;
  const auto found = find();
  if (!found)
    return tl::unexpected(found.error());
  auto layers = make_layers(plan, x);
  if (!layers)
    return tl::unexpected(layers.error());
  // Without the library it would lose its leash, and keep its snapshot open
  // for writing.
  const auto uid = found->preload.empty() ? 0 : vm_uid_of(plan.directory);
  const auto confinement = confinement_words(facts_of(found->qemu), uid);
  auto result = keeper_command{
    .keeper = found->keeper,
    .directory = plan.directory,
    .watchdog = watchdog_socket,
    .preload = found->preload,
    .record = vm_record_file,
    .cgroup = plan.cgroup,
    .space = plan.network.space.empty() ? std::string{}
                                        : space_path(plan.network.space),
    .leash_pid = plan.leash_pid,
    .output_bytes = plan.output_bytes,
    .uid = uid,
    .vmm = command_line(x, {found->qemu, record.memory_path, std::move(*layers),
                            planned.images, confinement})};
  if (!plan.snapshot || plan.snapshot->memory.is_flat())
    return result;
  if (result.preload.empty())
    return fail(ec::unsupported,
                "a child of a chain needs libforkfleet-preload.so beside the "
                "program; flatten the snapshot, or set FORKFLEET_PRELOAD");
  const auto text = overlay_text(plan.snapshot->memory);
  if (!text)
    return tl::unexpected(text.error());
  result.overlay = path_in(plan, overlay_file);
  if (auto kept = write_durably(result.overlay, *text); !kept)
    return tl::unexpected(kept.error());
  return result;
}

expected<vmm_ptr> qemu_driver::shared::launch(const start_plan& plan,
                                              deadline_point until) {
  auto planned = plan_machine(plan, settings.accelerator);
  if (!planned)
    return tl::unexpected(planned.error());
  auto* const x = &planned->what;
  auto record = vm_record{.qmp = path_in(plan, qmp_socket),
                          .watchdog = path_in(plan, watchdog_socket)};
  if (plan.snapshot) {
    record.memory_path = plan.snapshot->memory.files.front();
    record.origin = plan.snapshot->info.root_hash;
  }
  record.contract = to_contract(*x, "");
  const auto starter = command(plan, *planned, record);
  if (!starter)
    return tl::unexpected(starter.error());
  if (auto kept = save(record, plan.directory); !kept)
    return tl::unexpected(kept.error());
  auto vm = launch_vm(*starter, until);
  if (!vm) {
    static_cast<void>(end_unfinished(plan.directory, until).has_value());
    return tl::unexpected(vm.error());
  }
  if (auto done = complete(plan, *vm, *x, record, until); !done) {
    static_cast<void>(end_unfinished(plan.directory, until).has_value());
    return tl::unexpected(done.error());
  }
  return make_vmm(plan, record, *x,
                  {.qmp = std::move(vm->qmp), .keeper = std::move(vm->keeper)},
                  until);
}

// The VM answers: loads a child's state, and remembers the VM for good.
status qemu_driver::shared::complete(const start_plan& plan, running_vm& vm,
                                     machine& x, vm_record& record,
                                     deadline_point until) {
  auto type = machine_type(*vm.qmp, until);
  if (!type)
    return tl::unexpected(type.error());
  x.type = *type;
  if (plan.snapshot) {
    const auto begin =
      find_child_memory(vm.qmp->process(), plan.snapshot->memory);
    if (!begin)
      return tl::unexpected(begin.error());
    record.memory_begin = *begin;
  }
  const auto running = plan.snapshot
                         ? load_child(*vm.qmp, *plan.snapshot, until)
                         : see_running(*vm.qmp, until);
  if (!running)
    return running;
  // As its keeper knows it, whose child it is.
  note_process(record, vm.keeper.identity().vmm);
  record.contract = to_contract(x, vm.qmp->version());
  return save(record, plan.directory);
}

expected<vmm_ptr> qemu_driver::shared::attach(const start_plan& plan,
                                              deadline_point until) {
  const auto& sockets = plan.spec.attach;
  auto qmp = qmp_client::connect(sockets.qmp, until);
  if (!qmp)
    return tl::unexpected(qmp.error());
  auto x = ask_machine(**qmp, plan.spec, until);
  if (!x)
    return tl::unexpected(x.error());
  auto record = vm_record{.attached = true,
                          .qmp = sockets.qmp,
                          .watchdog = sockets.watchdog_qmp,
                          .contract = to_contract(*x, (*qmp)->version())};
  note_process(record, (*qmp)->process());
  if (auto kept = save(record, plan.directory); !kept)
    return tl::unexpected(kept.error());
  return make_vmm(plan, record, *x, {.qmp = std::move(*qmp)}, until);
}

expected<vmm_ptr> qemu_driver::shared::adopt(const start_plan& plan,
                                             deadline_point until) {
  auto record = load_vm_record(plan.directory);
  if (!record) {
    // An earlier life may have died between the record and the VM.
    if (record.error().code == ec::vmm_gone)
      if (auto cleared = end_unfinished(plan.directory, until); !cleared)
        return tl::unexpected(cleared.error());
    return tl::unexpected(record.error());
  }
  auto x = from_contract(record->contract);
  if (!x)
    return tl::unexpected(x.error());
  const bool is_complete = record->pid > 0;
  // Half a child is of no use; a fresh VM that runs is whole.
  if (!is_complete && !record->memory_path.empty()) {
    if (auto cleared = end_unfinished(plan.directory, until); !cleared)
      return tl::unexpected(cleared.error());
    return fail(ec::vmm_gone, "the node ended while this child was loaded");
  }
  auto link = keeper_link::connect(
    path_in(plan, keeper_socket),
    std::min(until, deadline_point{steady_clock::now() + keeper_answer_max}));
  if (!is_complete && record->attached)
    return fail(ec::vmm_unreachable,
                "the process of this attached VM was never known; stop the "
                "sandbox, and attach to the VM again");
  if (!is_complete) {
    const auto started = link ? expected<process_id>{link->identity().vmm}
                              : find_unkept(plan.directory, link.error());
    if (!started)
      return tl::unexpected(started.error());
    note_process(*record, *started);
  }
  const auto there = find_process(record->process());
  if (there.has_ended()) {
    // Its keeper writes down how it ended, and leaves.
    if (link)
      static_cast<void>(
        link->wait_for_end(steady_clock::now() + keeper_answer_max)
          .has_value());
    return fail(ec::vmm_gone, describe_end({.directory = plan.directory,
                                            .process = record->process()}));
  }
  if (!there.runs())
    return tl::unexpected(there.error());
  auto qmp = qmp_client::connect(record->qmp, until, record->process());
  if (!qmp)
    return tl::unexpected(qmp.error());
  if (!is_complete) {
    record->contract.vmm_version = (*qmp)->version();
    if (auto kept = save(*record, plan.directory); !kept)
      return tl::unexpected(kept.error());
  }
  auto parts = qemu_vmm_parts{.qmp = std::move(*qmp)};
  if (link)
    parts.keeper = std::move(*link);
  return make_vmm(plan, *record, *x, std::move(parts), until);
}

vmm_ptr qemu_driver::shared::make_vmm(const start_plan& plan,
                                      const vm_record& record, const machine& x,
                                      qemu_vmm_parts parts,
                                      deadline_point until) const {
  const auto found = find();
  parts.replacement = {.keeper = found ? found->keeper : std::string{},
                       .directory = plan.directory,
                       .watchdog = record.watchdog,
                       .leash_pid = plan.leash_pid,
                       .output_bytes = plan.output_bytes};
  parts.arenas = arenas;
  parts.pauses = pauses;
  parts.directory = plan.directory;
  parts.contract = record.contract;
  parts.memory_block = x.memory_block;
  parts.memory_path = record.memory_path;
  parts.memory_begin = record.memory_begin;
  parts.origin = record.origin;
  parts.attached = record.attached;
  parts.child_arguments = command_line(x, {});
  parts.has_layers =
    !record.attached && std::ranges::any_of(x.disks, [](const auto& disk) {
      return !disk.readonly;
    });
  parts.description = describe(plan, x, record);
  auto vm = std::make_shared<qemu_vmm>(std::move(parts));
  // What cannot be found out now is asked for again by the first branch.
  static_cast<void>(vm->look(until).has_value());
  return vm;
}

} // namespace forkfleet
