// SPDX-License-Identifier: Apache-2.0
// How a VM of ours comes into being: its machine, its process under a keeper,
// and for a child the loading of the snapshot's state.
#pragma once

#include <string>

#include "node/driver.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/vm_record.hpp"

namespace forkfleet::qemu {

/// The programs that a driver runs. Paths are absolute.
struct programs {
  std::string qemu = {};
  std::string keeper = {};
  std::string preload = {}; // empty: the library is not there
};

/// Finds the programs; `wanted` as in qemu_driver_settings. unsupported names
/// what is missing, and the remedy; without the library VMs run all the same.
expected<programs> find_programs(const programs& wanted);

/// A machine to start, and for each of its disks the files of its image.
struct planned_machine {
  machine what = {};
  std::vector<std::vector<image_file>> images = {};
};

/// The machine to start: the fleet file's, or the one of the snapshot. All
/// files of the host that a snapshot's VM used must be what they were. What was
/// not sealed here gets only files that the fleet file names for this host,
/// and arguments for QEMU only where the fleet file has the same and the
/// fleet's key vouches for the snapshot. `accelerator` overrides `auto`.
expected<planned_machine> plan_machine(const start_plan& plan,
                                       const std::string& accelerator);

/// The images of a machine's disks, its files pinned as they are now.
expected<std::vector<std::vector<image_file>>> pin_files(machine& x);

/// A VM that answers.
struct running_vm {
  std::unique_ptr<qmp_client> qmp = {};
  keeper_link keeper;
};

/// Starts QEMU under a keeper and waits until it answers. After an error no
/// process is left; what QEMU said is in the message.
expected<running_vm> launch_vm(const keeper_command& command,
                               deadline_point until);

/// Finds a child's memory in its process and checks all of its mappings
/// against the snapshot's layout; its address. snapshot_corrupt when one byte
/// of it could be wrong.
expected<uint64_t> find_child_memory(const process_id& process,
                                     const memory_layout& layout);

/// Has a child load its device state and run.
status load_child(qmp_client& qmp, const snapshot_files& snapshot,
                  deadline_point until);

/// Sees the guest run; resumes it when it only stands.
status see_running(qmp_client& qmp, deadline_point until);

/// Removes the record of `directory`, and kills the VM that was started there.
/// An error: nobody knows whether one runs there, and the directory must stay.
status end_unfinished(const std::string& directory, deadline_point until);

/// The machine's type as QEMU names it, with its version where it has one.
expected<std::string> machine_type(qmp_client& qmp, deadline_point until);

} // namespace forkfleet::qemu
