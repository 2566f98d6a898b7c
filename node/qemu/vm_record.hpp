// SPDX-License-Identifier: Apache-2.0
// vm.json in a VM's directory: what the driver must remember to find the VM
// again after the node's own death. Written before the VM exists, completed
// when it runs.
#pragma once

#include <string>
#include <vector>

#include "node/qemu/process.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// Its name. While it is not there, no VM is started in the directory.
inline constexpr const char* vm_record_file = "vm.json";

/// What is known of a VM beside its directory. Paths are absolute.
struct vm_record {
  uint64_t version = 1;
  bool attached = false; // somebody else started it
  std::string qmp = {};
  std::string watchdog = {};    // empty: there is none
  std::string memory_path = {}; // a child's base image; empty: fresh memory
  uint64_t memory_begin = 0;    // a child's memory in QEMU; 0: not known
  std::string origin = {};      // root hash of a child's snapshot
  uint64_t pid = 0;             // 0: it was being started
  uint64_t start_ticks = 0;
  run_contract contract = {};

  process_id process() const { return {static_cast<pid_t>(pid), start_ticks}; }

  static constexpr schema::about about{"vm_record", "How to find a VM again."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("version", &vm_record::version, "Of this format; 1."),
      field("attached", &vm_record::attached,
            "Whether somebody else started it."),
      field("qmp", &vm_record::qmp, "The driver's QMP socket."),
      field("watchdog", &vm_record::watchdog, "The watchdog's QMP socket."),
      field("memory_path", &vm_record::memory_path,
            "The image that its memory maps."),
      field("memory_begin", &vm_record::memory_begin,
            "The address at which it maps it."),
      field("origin", &vm_record::origin,
            "The root hash of the snapshot that it came from."),
      field("pid", &vm_record::pid, "Its process."),
      field("start_ticks", &vm_record::start_ticks,
            "When that process started, in clock ticks since boot."),
      field("contract", &vm_record::contract, "Its machine."),
    };
  }
};

/// Writes and reads vm.json in `directory`. load: vmm_gone when there is no
/// such file, io_failed when it cannot be read or understood.
status save(const vm_record& x, const std::string& directory);
expected<vm_record> load_vm_record(const std::string& directory);

/// Removes it; also correct when there is none.
void remove_vm_record(const std::string& directory) noexcept;

} // namespace forkfleet::qemu
