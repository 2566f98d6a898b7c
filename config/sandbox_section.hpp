// SPDX-License-Identifier: Apache-2.0
// One sandbox in the fleet file: its VM, or the one that it is attached to.
// Knows no CAF.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"
#include "config/byte_size.hpp"
#include "config/limits_section.hpp"
#include "config/network_section.hpp"

namespace forkfleet::config {

struct disk_section {
  std::string path = {};
  std::string format = "qcow2";
  bool readonly = false;

  friend bool operator==(const disk_section&, const disk_section&) = default;
  static constexpr schema::about about{"disk", "One disk of a sandbox."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("path", &disk_section::path, "Its image on the host.", required),
      field("format", &disk_section::format, "qcow2 or raw."),
      field("readonly", &disk_section::readonly,
            "Whether the guest may only read it."),
    };
  }
};

/// A VM that somebody else started.
struct attach_section {
  std::string qmp = {};
  std::string watchdog_qmp = {};
  std::string api = {};

  bool empty() const { return qmp.empty() && api.empty(); }
  friend bool operator==(const attach_section&,
                         const attach_section&) = default;
  static constexpr schema::about about{"attach",
                                       "A VM that somebody else started."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("qmp", &attach_section::qmp, "The QMP socket of a QEMU."),
      field("watchdog_qmp", &attach_section::watchdog_qmp,
            "A second QMP socket, for the watchdog that resumes the VM when "
            "the node dies in a pause."),
      field("api", &attach_section::api, "The API socket of a Firecracker."),
    };
  }
};

enum class driver_kind : uint8_t { qemu, simulated, firecracker };

constexpr auto enum_table(driver_kind) {
  using enum driver_kind;
  return std::to_array<schema::enum_entry<driver_kind>>({
    {qemu, "qemu"},
    {simulated, "simulated", "no VM: costs and faults, for trying things"},
    {firecracker, "firecracker"},
  });
}

enum class accelerator : uint8_t { automatic, kvm, tcg };

constexpr auto enum_table(accelerator) {
  using enum accelerator;
  return std::to_array<schema::enum_entry<accelerator>>({
    {automatic, "auto", "kvm where it works, else tcg"},
    {kvm, "kvm"},
    {tcg, "tcg"},
  });
}

struct sandbox_section {
  sandbox_id name = {};
  host_name host = {};
  driver_kind driver = driver_kind::qemu;
  std::string kernel = {};
  std::string initrd = {};
  std::string append = {};
  std::string machine = "microvm";
  accelerator accel = accelerator::automatic;
  byte_size memory{256ull << 20};
  uint64_t vcpus = 1;
  std::vector<disk_section> disks = {};
  bool debug_console = false;
  bool guest_agent = false;
  std::vector<std::string> qemu_arguments = {};
  std::string binary = {};
  attach_section attach = {};
  vm_limits_section limits = {};
  network_section network = {};

  friend bool operator==(const sandbox_section&,
                         const sandbox_section&) = default;
  static constexpr schema::about about{"sandbox", "One VM of the fleet."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("name", &sandbox_section::name, "Unique in the fleet.", required),
      field("host", &sandbox_section::host, "Which host runs it.", required),
      field("driver", &sandbox_section::driver,
            "qemu, firecracker or simulated."),
      field("kernel", &sandbox_section::kernel,
            "The guest kernel; needed unless attach is given."),
      field("initrd", &sandbox_section::initrd, "Its initial RAM disk."),
      field("append", &sandbox_section::append,
            "Added to the kernel's command line."),
      field("machine", &sandbox_section::machine, "microvm, q35 or pc."),
      field("accelerator", &sandbox_section::accel, "auto, kvm or tcg."),
      field("memory", &sandbox_section::memory, "32MiB to 1TiB."),
      field("vcpus", &sandbox_section::vcpus, "1 to 256."),
      field("disks", &sandbox_section::disks, "Its disks, in order."),
      field("debug_console", &sandbox_section::debug_console,
            "Port 0xe9 of the guest as a socket in the sandbox's directory."),
      field("guest_agent", &sandbox_section::guest_agent,
            "The guest runs qemu-guest-agent: its children get an identity "
            "of their own, and exec and cp work."),
      field("qemu_arguments", &sandbox_section::qemu_arguments,
            "More arguments for QEMU, as they are."),
      field("binary", &sandbox_section::binary,
            "Firecracker's program; default: firecracker in PATH."),
      field("attach", &sandbox_section::attach,
            "Attach to a running VM instead of starting one."),
      field("limits", &sandbox_section::limits,
            "What its VM may take of the host."),
      field("network", &sandbox_section::network, "How it is connected."),
    };
  }
};

} // namespace forkfleet::config
