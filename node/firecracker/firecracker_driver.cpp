// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/firecracker_driver.hpp"

#include <cstdlib>
#include <sys/socket.h>
#include <utility>

#include "node/firecracker/firecracker_vmm.hpp"
#include "node/firecracker/vm_launch.hpp"
#include "node/firecracker/vm_record.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet {

namespace {

using namespace forkfleet::firecracker;

std::string fast_directory_of(const firecracker_driver_settings& settings) {
  if (!settings.fast_directory.empty())
    return settings.fast_directory;
  const char* set = std::getenv("FORKFLEET_FAST_DIRECTORY");
  return set ? set : "/dev/shm";
}

void note_process(vm_record& record, const qemu::process_id& process) {
  record.pid = static_cast<uint64_t>(process.pid);
  record.start_ticks = process.start_ticks;
}

// A sandbox may name a program of its own.
programs programs_for(const firecracker_driver_settings& settings,
                      const start_plan& plan) {
  return {plan.spec.binary.empty() ? settings.firecracker : plan.spec.binary,
          settings.keeper};
}

capture_space space_of(const firecracker_driver_settings& settings,
                       const start_plan& plan, const microvm& x) {
  return capture_space{{.fast_directory = fast_directory_of(settings),
                        .vm_directory = plan.directory,
                        .memory_bytes = x.machine.memory_bytes}};
}

// What all VMs have in common, however they were found.
firecracker_vmm_parts parts_of(const firecracker_driver_settings& settings,
                               const start_plan& plan, const vm_record& record,
                               const microvm& x) {
  const auto found =
    find_programs(programs_for(settings, plan)).value_or(programs{});
  auto parts = firecracker_vmm_parts{
    .replacement = guarding(found, plan, record.api),
    .process = record.process(),
    .vm = x,
    .contract = record.contract,
    .directory = plan.directory,
    .space = space_of(settings, plan, x),
    .attached = record.attached,
    .description = {.pid = record.pid,
                    .memory_bytes = x.machine.memory_bytes,
                    .vcpus = x.machine.vcpus,
                    .accelerator = "kvm"}};
  parts.vm.machine.tracks = record.tracks;
  return parts;
}

vmm_ptr make_vmm(firecracker_vmm_parts parts, std::unique_ptr<api> line,
                 const vmm_version& version) {
  if (!parts.attached)
    parts.description.console = console_of(version, parts.directory);
  parts.line = std::move(line);
  parts.version = version;
  return std::make_shared<firecracker_vmm>(std::move(parts));
}

expected<microvm> plan_vm(const start_plan& plan) {
  return plan.snapshot ? from_contract(plan.snapshot->contract)
                       : microvm_of(plan.spec);
}

} // namespace

firecracker_driver::firecracker_driver(firecracker_driver_settings settings)
  : settings_{std::move(settings)} {}

expected<vmm_ptr> firecracker_driver::start(const start_plan& plan,
                                            deadline_point until) {
  if (!plan.snapshot && !plan.spec.attach.api.empty())
    return attach(plan, until);
  return make(plan, until);
}

expected<vmm_ptr> firecracker_driver::make(const start_plan& plan,
                                           deadline_point until) {
  const auto found = find_programs(programs_for(settings_, plan));
  if (!found)
    return tl::unexpected(found.error());
  const auto x = plan_vm(plan);
  if (!x)
    return tl::unexpected(x.error());
  auto record = vm_record{.child = plan.snapshot.has_value(),
                          .tracks = true,
                          .api = plan.directory + "/" + api_socket,
                          .contract = to_contract(*x, "")};
  if (auto kept = save(record, plan.directory); !kept)
    return tl::unexpected(kept.error());
  auto vm = launch(*found, plan, until);
  if (!vm) {
    end_unfinished(plan.directory, until);
    return tl::unexpected(vm.error());
  }
  auto done = plan.snapshot ? load(*vm, *plan.snapshot, until)
                            : boot(*vm, *x, plan.directory, until);
  if (done) {
    note_process(record, vm->keeper.identity().vmm);
    record.contract = to_contract(*x, to_string(vm->version));
    done = save(record, plan.directory);
  }
  if (!done) {
    end_unfinished(plan.directory, until);
    return tl::unexpected(done.error());
  }
  auto parts = parts_of(settings_, plan, record, *x);
  // What an earlier VM of this directory left is of no use.
  parts.space.remove();
  parts.keeper = std::move(vm->keeper);
  if (plan.snapshot)
    parts.tracked_since = plan.snapshot->info.root_hash;
  return make_vmm(std::move(parts), std::move(vm->line), vm->version);
}

expected<vmm_ptr> firecracker_driver::attach(const start_plan& plan,
                                             deadline_point until) {
  const auto& socket = plan.spec.attach.api;
  const auto peer = qemu::connect_unix(socket, SOCK_STREAM, until);
  if (!peer)
    return tl::unexpected(peer.error());
  auto line = std::make_unique<api>(socket);
  const auto version = line->version(until);
  if (!version)
    return tl::unexpected(version.error());
  const auto machine = line->machine(until);
  if (!machine)
    return tl::unexpected(machine.error());
  auto drives = line->drives(until);
  if (!drives)
    return tl::unexpected(drives.error());
  const auto x = microvm{.machine = *machine, .drives = std::move(*drives)};
  auto record = vm_record{.attached = true,
                          .tracks = machine->tracks,
                          .api = socket,
                          .contract = to_contract(x, to_string(*version))};
  note_process(record, qemu::identify(qemu::peer_process(peer->get())));
  if (auto kept = save(record, plan.directory); !kept)
    return tl::unexpected(kept.error());
  auto parts = parts_of(settings_, plan, record, x);
  parts.space.remove();
  return make_vmm(std::move(parts), std::move(line), *version);
}

expected<vmm_ptr> firecracker_driver::adopt(const start_plan& plan,
                                            deadline_point until) {
  auto record = load_vm_record(plan.directory);
  if (!record) {
    // An earlier life may have died between the record and the VM.
    if (record.error().code == ec::vmm_gone)
      end_unfinished(plan.directory, until);
    return tl::unexpected(record.error());
  }
  const auto x = from_contract(record->contract);
  if (!x)
    return tl::unexpected(x.error());
  auto link = qemu::keeper_link::connect(
    plan.directory + "/" + qemu::keeper_socket, until);
  if (record->pid == 0) {
    // Half a VM is of no use: nobody knows which of its parts it has.
    end_unfinished(plan.directory, until);
    return fail(ec::vmm_gone, "the node ended while this VM was started");
  }
  if (auto there = qemu::open_process(record->process()); !there) {
    space_of(settings_, plan, *x).remove();
    return tl::unexpected(there.error());
  }
  auto line = std::make_unique<api>(record->api);
  const auto version = line->version(until);
  if (!version)
    return tl::unexpected(version.error());
  auto parts = parts_of(settings_, plan, *record, *x);
  if (link)
    parts.keeper = std::move(*link);
  if (record->tracks)
    parts.tracked_since = parts.space.take_up();
  return make_vmm(std::move(parts), std::move(line), *version);
}

} // namespace forkfleet
