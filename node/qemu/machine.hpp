// SPDX-License-Identifier: Apache-2.0
// A VM's machine: all that its QEMU command line is made of. It comes from
// the fleet file for a fresh VM and from a snapshot's contract for a child,
// and both give the same machine. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/schema/json_text.hpp"
#include "config/fleet_file.hpp"
#include "node/qemu/image_chain.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

using schema::json;

/// The machine of one VM. A child's must equal its source's.
struct machine {
  std::string type = "microvm";
  std::string accelerator = "tcg";
  std::string cpu = "qemu64";
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 1;
  std::string memory_block = "mem"; // what QEMU calls the guest's memory
  std::string kernel = {};
  std::string initrd = {};
  std::string append = {}; // the kernel's whole command line
  bool debug_console = false;
  bool agent = false; // a port for a guest agent
  network_mode network = network_mode::none;
  std::vector<std::string> egress = {}; // what may be reached
  std::vector<config::disk_section> disks = {};
  std::vector<pinned_file> files = {}; // of the host, as they were
  std::vector<std::string> more = {};  // arguments passed on as they are

  friend bool operator==(const machine&, const machine&) = default;
};

/// Where one VM of a machine runs.
struct launch {
  std::string qemu = {};        // the emulator's path
  std::string memory_path = {}; // a child's memory.bin; empty: fresh memory
  /// For each disk the nodes of its layers, the lowest first; none where the
  /// guest sees the file itself.
  std::vector<std::vector<json>> layers = {};
  /// For each disk the files of its image; empty: it lies over nothing.
  std::vector<std::vector<image_file>> images = {};
  std::vector<std::string> confinement = {}; // arguments that keep it in
};

/// The sockets and files of a VM, in its own directory.
inline constexpr const char* qmp_socket = "qmp.sock";
inline constexpr const char* watchdog_socket = "watchdog.sock";
inline constexpr const char* debug_socket = "debug.sock";
inline constexpr const char* agent_socket = "agent.sock";
inline constexpr const char* console_file = "console.log";

/// The machine that a section of the fleet file asks for, on an accelerator
/// that was chosen. `tsc_khz` is the host's, for a guest under tcg that would
/// otherwise measure it, and sometimes hang in that; 0: not known.
machine machine_of(const config::sandbox_section& spec,
                   const std::string& accelerator, uint64_t tsc_khz);

/// QEMU's arguments, its path first. It must run in the VM's directory: the
/// sockets are named relative to it, which keeps them short.
std::vector<std::string> command_line(const machine& x, const launch& where);

/// The machine as a contract, and back. `vmm_version` is QEMU's. A contract
/// may be a stranger's: each field is one of those that are known, and may only
/// hold what a machine of ours has there. unsupported names the first that
/// does not. What it says of files and of `more` is a word, not a permission.
run_contract to_contract(const machine& x, const std::string& vmm_version);
expected<machine> from_contract(const run_contract& contract);

/// The uses of a machine's files: the kernel's, the initrd's, that of the file
/// with this number of a disk, and of its qemu_arguments.
inline constexpr const char* kernel_use = "kernel";
inline constexpr const char* initrd_use = "initrd";
std::string disk_use(std::size_t disk, std::size_t file);
std::string argument_use(std::size_t file);

/// Whether a snapshot taken by one QEMU version loads in another: the first
/// two numbers must be equal.
bool is_same_line(const std::string& version, const std::string& other);

} // namespace forkfleet::qemu
