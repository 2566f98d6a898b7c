// SPDX-License-Identifier: Apache-2.0
// A simulated VM itself: its vCPUs run or stand, and while they run its guest
// counts. Outlives the node that drives it, as a VM does. Knows no CAF.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "actors/ids.hpp"
#include "node/simulated/guest.hpp"
#include "node/simulated/guest_ram.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What a simulated guest does all day.
struct guest_habits {
  /// How many different pages it writes, one after the other; 0: as many as
  /// suit its memory. A child goes on with its parent's.
  uint64_t working_pages = 0;
  uint64_t writes_per_second = 1000;
};

/// One VM. All calls are thread-safe; each is told the time, and the guest
/// has run until then.
class simulated_machine {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A VM that runs from `now` on: one that boots, or a child that goes on
  /// from `state` with the memory that belongs to it.
  static expected<std::shared_ptr<simulated_machine>>
  boot(uint64_t memory_bytes, uint64_t vcpus, guest_habits habits,
       time_point now);
  static std::shared_ptr<simulated_machine>
  resume_from(guest_ram ram, const guest_state& state, uint64_t vcpus,
              guest_habits habits, time_point now);

  /// Stops and starts the vCPUs; false when the VM is gone or stuck.
  bool pause(time_point now);
  bool resume(time_point now);
  /// It stands still, and nothing helps.
  void stick(time_point now);
  void end();
  /// Lets the guest run until then: for who runs it beside its driver, so
  /// that its writes are not made up within a pause.
  void run(time_point now);

  vmm_health health() const;
  /// What the pages say at this instant.
  guest_image image(time_point now);
  /// The device state of this instant.
  guest_state state(time_point now);

  /// The guest writes so many pages more, at once.
  void write(uint64_t pages, time_point now);
  void set_writes_per_second(uint64_t writes, time_point now);
  const guest_habits& habits() const { return habits_; }

  /// Pages written since this was last asked for.
  page_set take_written(time_point now);
  /// Adds to them what was asked for and got lost.
  void give_back_written(const page_set& pages);
  /// Pages that may differ from zero.
  page_set touched(time_point now);
  /// How many pages it wrote since take_written.
  uint64_t written_pages(time_point now);
  /// Copies a part of the memory, as it is now.
  void read(memory_range range, std::span<uint8_t> into, time_point now);

  uint64_t memory_bytes() const { return ram_.bytes().size(); }
  uint64_t vcpus() const { return vcpus_; }
  /// What tells it from all others of one memory, as a VM generation device
  /// would. Set once, by who starts it.
  const std::string& generation() const { return generation_; }
  void set_generation(std::string x) { generation_ = std::move(x); }
  /// How often the guest was paused while it ran.
  uint64_t pauses() const;

private:
  simulated_machine(guest_ram ram, const guest_state& state, uint64_t vcpus,
                    guest_habits habits, time_point now);
  void run_until(time_point now);
  void count_to(uint64_t tick);

  guest_ram ram_;
  const uint64_t vcpus_;
  guest_habits habits_;
  std::string generation_ = {};
  mutable std::mutex mutex_;
  uint64_t tick_ = 0;
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
