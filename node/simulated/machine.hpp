// SPDX-License-Identifier: Apache-2.0
// A simulated VM itself: its vCPUs run or stand, and while they run its guest
// counts. Outlives the node that drives it, as a VM does. Knows no CAF.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "actors/ids.hpp"
#include "node/simulated/guest.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// One VM. All calls are thread-safe; each is told the time, and the guest
/// has run until then.
class simulated_machine {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// The guest counts once in this time.
  static constexpr std::chrono::milliseconds tick_interval{1};

  /// A VM that runs from `now` on.
  simulated_machine(guest_image guest, uint64_t vcpus, time_point now);

  /// Stops and starts the vCPUs; false when the VM is gone or stuck.
  bool pause(time_point now);
  bool resume(time_point now);
  /// It stands still, and nothing helps.
  void stick(time_point now);
  void end();

  vmm_health health() const;
  /// The memory of this instant.
  guest_image image(time_point now);

  uint64_t memory_bytes() const { return memory_bytes_; }
  uint64_t vcpus() const { return vcpus_; }
  /// How often the guest was paused while it ran.
  uint64_t pauses() const;

private:
  void run_until(time_point now);

  const uint64_t memory_bytes_;
  const uint64_t vcpus_;
  mutable std::mutex mutex_;
  guest_image guest_;
  vmm_health health_ = vmm_health::running;
  time_point ran_until_; // the guest's count is of this time
  uint64_t pauses_ = 0;
};

using simulated_machine_ptr = std::shared_ptr<simulated_machine>;

/// The VMs of one host. Thread-safe. A driver has its own unless it is given
/// one that survives it.
class simulated_host {
public:
  /// The most VMs of a host.
  static constexpr std::size_t machines_max = 10000;

  /// Keeps a VM under its sandbox's name, in the place of one that is gone;
  /// false when one is there or at the limit.
  bool add(const sandbox_id& id, const simulated_machine_ptr& machine);
  /// Null when there is none that runs or stands.
  simulated_machine_ptr find(const sandbox_id& id) const;
  /// Ends all of them: the power fails.
  void end_all();
  std::map<sandbox_id, simulated_machine_ptr> all() const;

private:
  mutable std::mutex mutex_;
  std::map<sandbox_id, simulated_machine_ptr> machines_;
};

using simulated_host_ptr = std::shared_ptr<simulated_host>;

} // namespace forkfleet
