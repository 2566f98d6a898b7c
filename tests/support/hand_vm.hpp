// SPDX-License-Identifier: Apache-2.0
// A QEMU that a test drives by hand, over plain QMP and without any of our
// drivers: the example guest in it, and captures done step by step. What our
// drivers do is measured and checked against this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::test {

/// Why no guest can be started here; empty when one can.
std::string guest_obstacle();

/// What to start.
struct hand_vm_options {
  std::string folder = {}; // exists; sockets and the console's file go there
  uint64_t memory_mib = 256;
  std::string append = {};      // for the kernel's command line
  std::string memory_file = {}; // restore: guest memory, mapped privately
  std::string state_file = {};  // restore: device state; needs memory_file
};

/// One QEMU process. It dies with the test, at the latest.
class hand_vm {
public:
  /// Starts it and connects to QMP. A restored VM stands until `cont`.
  static expected<std::unique_ptr<hand_vm>>
  start(const hand_vm_options& options);
  ~hand_vm();
  hand_vm(const hand_vm&) = delete;
  hand_vm& operator=(const hand_vm&) = delete;

  /// Executes one QMP command and gives its `return`. Error: vmm_refused with
  /// QEMU's words, deadline_exceeded after 10 s.
  expected<nlohmann::json>
  execute(const std::string& command,
          const nlohmann::json& arguments = nlohmann::json::object());

  /// Writes `bytes` of guest memory at `offset` into the same place of the
  /// file, whether the guest runs or not.
  status copy_memory(const std::string& file, uint64_t offset, uint64_t bytes);
  /// Writes the device state of the stopped VM, in the form that a restore
  /// takes.
  status save_state(const std::string& file);

  uint64_t memory_bytes() const { return options_.memory_mib << 20; }
  int pid() const { return pid_; }
  std::string debug_socket() const { return options_.folder + "/debug"; }
  /// What the guest has printed on its serial console.
  std::string console() const;

private:
  hand_vm(hand_vm_options options, int pid);

  status connect_qmp();
  expected<nlohmann::json> read_reply();

  hand_vm_options options_;
  int pid_;
  unique_fd qmp_ = {};
  std::string received_ = {};
};

} // namespace forkfleet::test
