// SPDX-License-Identifier: Apache-2.0
// What a simulated VM costs and what goes wrong with it, stage by stage.
// Knows no CAF and no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// What goes wrong when a VM is asked for a stage.
enum class simulated_trouble : uint8_t {
  none,
  refuse,       // nothing is done, and the call says so
  lose_answer,  // it is done, but the call fails
  stick,        // nothing is done, and the VM answers nothing any more
  vm_ends,      // the VM ends by itself
  tear,         // drain: the files are of several instants
  crash_before, // the node ends before the VM has heard of it
  crash_after,  // the node ends when the VM has done it
};

/// One trouble, and the code of a refusal.
struct simulated_fault {
  simulated_trouble trouble = simulated_trouble::none;
  ec code = ec::vmm_refused;
};

/// Thrown through the worker when the node "ends" in the middle of a branch:
/// nobody may catch it and go on, so it is no std::exception.
struct simulated_crash {};

/// Costs and faults. Thread-safe: the VMs of one driver share a table.
class simulated_faults {
public:
  /// Small costs, like those of a QEMU on a quiet host; no faults.
  simulated_faults();

  /// What the stage takes from now on.
  void takes(stage which, std::chrono::nanoseconds cost);
  std::chrono::nanoseconds cost(stage which) const;

  /// The next time that a VM is asked for the stage, this happens; asked
  /// again, what was added next.
  void add(stage which, simulated_fault fault);

  /// Asked when nothing was added for a stage; empty: nothing goes wrong.
  void set_chance(std::function<simulated_fault(stage)> chance);

  /// Called when the node is to end; must not return normally in a
  /// simulation. Without it the fault throws simulated_crash.
  void set_crash(std::function<void()> crash);

  /// Takes the fault that the stage meets now.
  simulated_fault next(stage which);

  /// Ends the node. Does not return.
  [[noreturn]] void crash();

private:
  mutable std::mutex mutex_;
  std::map<stage, std::chrono::nanoseconds> costs_;
  std::map<stage, std::deque<simulated_fault>> faults_;
  std::function<simulated_fault(stage)> chance_;
  std::function<void()> crash_;
};

using simulated_faults_ptr = std::shared_ptr<simulated_faults>;

} // namespace forkfleet
