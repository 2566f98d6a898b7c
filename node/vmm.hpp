// SPDX-License-Identifier: Apache-2.0
// The seam to a VM: what a driver can do with one running sandbox. QEMU and
// the simulated VMM implement it. Knows no CAF.
//
// A branch calls, on one thread and in this order: prepare, pause, capture,
// resume, drain; or abandon after a failure. The guest runs during prepare
// and drain and stands still from pause to resume.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "actors/error.hpp"

namespace forkfleet {

/// A point on the steady clock by which a call must have returned.
using deadline_point = std::chrono::steady_clock::time_point;

/// What this VM allows.
struct vmm_capabilities {
  bool full = false;
  bool live = false;
  /// Why `live` is not to be had, for the report; empty when it is.
  std::string live_obstacle = {};
};

/// Where the VM stands.
enum class vmm_health : uint8_t { running, paused, stuck, gone };

constexpr auto enum_table(vmm_health) {
  using enum vmm_health;
  return std::to_array<schema::enum_entry<vmm_health>>({
    {running, "running"},
    {paused, "paused"},
    {stuck, "stuck"},
    {gone, "gone"},
  });
}

/// What a snapshot of this VM needs to run again: the runnability contract.
/// It stands in the manifest, and the driver that made it reads it back.
struct run_contract {
  std::string driver = {};
  std::string vmm_version = {};
  std::string machine = {};
  std::string accelerator = {};
  std::string cpu = {};
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 0;
  /// Everything else the driver must repeat, in its own words: the kernel's
  /// path and hash, the command line, the devices.
  std::vector<std::string> arguments = {};

  friend bool operator==(const run_contract&, const run_contract&) = default;
  static constexpr schema::about about{"run_contract",
                                       "What a snapshot needs to run again."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("driver", &run_contract::driver, "Which VMM."),
      schema::field("vmm_version", &run_contract::vmm_version,
                    "Its version when the snapshot was taken."),
      schema::field("machine", &run_contract::machine, "The machine type."),
      schema::field("accelerator", &run_contract::accelerator, "kvm or tcg."),
      schema::field("cpu", &run_contract::cpu, "The CPU model."),
      schema::field("memory_bytes", &run_contract::memory_bytes,
                    "Guest memory."),
      schema::field("vcpus", &run_contract::vcpus, "Virtual CPUs."),
      schema::field("arguments", &run_contract::arguments,
                    "What the driver must repeat."),
    };
  }
};

/// What is known of a VM, for lists and logs.
struct vmm_description {
  uint64_t pid = 0;
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 0;
  std::string accelerator = {};
  std::string console = {};       // file of the serial console's output
  std::string debug_console = {}; // socket of port 0xe9
};

/// What one branch is to capture, and the open files that it goes to. The
/// files belong to the caller and stay open until drain or abandon returned.
struct capture_plan {
  operation_id operation = {};
  branch_mode mode = branch_mode::live; // full or live
  int memory_fd = -1;                   // flat guest memory; zeros may stay
                                        // unwritten
  int vmstate_fd = -1;                  // device state
  std::chrono::milliseconds pause_max{5000};
};

/// What a capture came to. Complete after drain.
struct capture_result {
  std::string method = {};                // such as "background-snapshot"
  std::chrono::microseconds vmm_pause{0}; // by the VMM's stamps; 0: none
  /// From the VMM's stamp of the stop to the guest seen running, where the
  /// guest still ran for a part of the pause stage; 0: it stood for all of it.
  std::chrono::microseconds stood{0};
  uint64_t memory_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t vmstate_bytes = 0;
  std::vector<std::string> warnings = {};
};

/// One running VM. Used by one thread at a time. Errors: vmm_unreachable,
/// vmm_refused, vmm_gone, deadline_exceeded, unsupported, io_failed,
/// disk_full; resume also guest_stuck.
class vmm {
public:
  virtual ~vmm() = default;

  /// Asks the VM what it allows. Cheap after the first call.
  virtual expected<vmm_capabilities> capabilities(deadline_point until) = 0;

  /// Where the VM stands, asked of the VM itself.
  virtual vmm_health health(deadline_point until) = 0;

  /// What is known of it. Does not ask the VM.
  virtual vmm_description describe() const = 0;

  /// What a snapshot of it needs to run again.
  virtual run_contract contract() const = 0;

  /// All that may take time, allocate or fail, while the guest runs.
  virtual status prepare(const capture_plan& plan, deadline_point until) = 0;

  /// Stops the vCPUs. After an error the guest may stand: call resume.
  virtual status pause(deadline_point until) = 0;

  /// Memory and device state of this instant. No storage is touched: what is
  /// not copied now is protected until drain has copied it.
  virtual status capture(deadline_point until) = 0;

  /// Lets the guest run and sees it run. Called whatever happened before;
  /// returns guest_stuck when it could not.
  virtual status resume(deadline_point until) = 0;

  /// Completes the plan's files, unsynced. The guest runs.
  virtual expected<capture_result> drain(deadline_point until) = 0;

  /// Gives up the capture in progress, without harm to the guest; also
  /// correct when there is none.
  virtual void abandon() noexcept = 0;

  /// Ends the VM if we started it; lets it go if we attached to it.
  virtual status stop(deadline_point until) = 0;
};

using vmm_ptr = std::shared_ptr<vmm>;

} // namespace forkfleet
