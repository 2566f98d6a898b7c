// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/firecracker_driver.hpp"

#include <cstdlib>
#include <sys/socket.h>
#include <utility>

#include "node/firecracker/firecracker_vmm.hpp"
#include "node/firecracker/vm_launch.hpp"
#include "node/firecracker/vm_record.hpp"
#include "node/qemu/pinned_files.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet {

namespace {

using namespace forkfleet::firecracker;

constexpr auto first_second = std::chrono::seconds{1};

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
                               const microvm& x,
                               const host_pauses_ptr& pauses) {
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
    .is_resident = !record.child,
    .pauses = pauses,
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

/// The drives' files as they are now.
status pin_drives(microvm& x) {
  for (const auto& one : x.drives) {
    auto pinned = qemu::pin_file(one.id, one.path);
    if (!pinned)
      return tl::unexpected(pinned.error());
    x.files.push_back(std::move(*pinned));
  }
  return {};
}

/// They are as they were: the state names them, wherever they are now.
status check_drives(const microvm& x, const snapshot_tag& tag) {
  if (x.files.size() < x.drives.size())
    return fail(ec::unsupported,
                "snapshot " + tag.value
                  + " does not tell what its disks were; an older version took "
                    "it: take it again");
  for (const auto& file : x.files)
    if (auto good = qemu::check_pin(file, file.path, tag.value, true); !good)
      return good;
  return {};
}

expected<microvm> plan_vm(const start_plan& plan) {
  // Its state names files of the host that Firecracker opens.
  if (plan.snapshot && !plan.snapshot->is_vouched)
    return fail(ec::unsupported,
                "snapshot " + plan.snapshot->info.tag.value
                  + " is of Firecracker and neither sealed here nor signed by "
                    "this fleet: a child of it could open any file");
  auto x = plan.snapshot ? from_contract(plan.snapshot->contract)
                         : microvm_of(plan.spec);
  if (!x)
    return x;
  auto done =
    plan.snapshot ? check_drives(*x, plan.snapshot->info.tag) : pin_drives(*x);
  if (!done)
    return tl::unexpected(done.error());
  return x;
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
    static_cast<void>(clear(plan.directory, until).has_value());
    return tl::unexpected(vm.error());
  }
  auto done = plan.snapshot ? load(*vm, *plan.snapshot, plan.directory, until)
                            : boot(*vm, *x, plan.directory, until);
  if (done && plan.snapshot)
    done = prove(*vm, plan, until);
  if (done) {
    note_process(record, vm->keeper.identity().vmm);
    record.contract = to_contract(*x, to_string(vm->version));
    done = save(record, plan.directory);
  }
  if (!done) {
    static_cast<void>(clear(plan.directory, until).has_value());
    return tl::unexpected(done.error());
  }
  auto parts = parts_of(settings_, plan, record, *x, pauses_);
  // What an earlier VM of this directory left is of no use.
  parts.space.remove();
  parts.keeper = std::move(vm->keeper);
  if (plan.snapshot)
    parts.tracked_since = plan.snapshot->info.root_hash;
  return make_vmm(std::move(parts), std::move(vm->line), vm->version);
}

// Firecracker says that a VM runs as soon as it has loaded it; one that cannot
// run ends a moment later. Once a child of a snapshot has lived, the others
// need not wait for that.
status firecracker_driver::prove(const launched& vm, const start_plan& plan,
                                 deadline_point until) {
  const auto& root_hash = plan.snapshot->info.root_hash;
  if (proven_.has(root_hash))
    return {};
  auto lived = live_through(vm, plan.directory, first_second, until);
  if (lived)
    proven_.add(root_hash);
  return lived;
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
  auto parts = parts_of(settings_, plan, record, x, pauses_);
  parts.space.remove();
  return make_vmm(std::move(parts), std::move(line), *version);
}

status firecracker_driver::clear(const std::string& directory,
                                 deadline_point until) {
  return end_unfinished(directory, until);
}

expected<vmm_ptr> firecracker_driver::adopt(const start_plan& plan,
                                            deadline_point until) {
  auto record = load_vm_record(plan.directory);
  if (!record) {
    // An earlier life may have died between the record and the VM.
    if (record.error().code == ec::vmm_gone)
      if (auto cleared = clear(plan.directory, until); !cleared)
        return tl::unexpected(cleared.error());
    return tl::unexpected(record.error());
  }
  const auto x = from_contract(record->contract);
  if (!x)
    return tl::unexpected(x.error());
  auto link = qemu::keeper_link::connect(
    plan.directory + "/" + qemu::keeper_socket, until);
  if (record->pid == 0 && record->attached)
    return fail(ec::vmm_unreachable,
                "the process of this attached VM was never known; stop the "
                "sandbox, and attach to the VM again");
  if (record->pid == 0) {
    // Half a VM is of no use: nobody knows which of its parts it has.
    if (auto cleared = clear(plan.directory, until); !cleared)
      return tl::unexpected(cleared.error());
    return fail(ec::vmm_gone, "the node ended while this VM was started");
  }
  if (const auto there = qemu::find_process(record->process()); !there.runs()) {
    if (there.has_ended())
      space_of(settings_, plan, *x).remove();
    return tl::unexpected(there.error());
  }
  auto line = std::make_unique<api>(record->api, record->process());
  const auto version = line->version(until);
  if (!version)
    return tl::unexpected(version.error());
  auto parts = parts_of(settings_, plan, *record, *x, pauses_);
  if (link)
    parts.keeper = std::move(*link);
  if (record->tracks)
    parts.tracked_since = parts.space.take_up();
  return make_vmm(std::move(parts), std::move(line), *version);
}

} // namespace forkfleet
