// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/machine.hpp"

#include <utility>

namespace forkfleet {

simulated_machine::simulated_machine(guest_image guest, uint64_t vcpus,
                                     time_point now)
  : memory_bytes_(guest.memory_bytes), vcpus_(vcpus), guest_(std::move(guest)),
    ran_until_(now) {}

bool simulated_machine::pause(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  if (health_ == vmm_health::running) {
    health_ = vmm_health::paused;
    ++pauses_;
  }
  return health_ == vmm_health::paused;
}

bool simulated_machine::resume(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  if (health_ == vmm_health::paused)
    health_ = vmm_health::running;
  return health_ == vmm_health::running;
}

void simulated_machine::stick(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  if (health_ != vmm_health::gone)
    health_ = vmm_health::stuck;
}

void simulated_machine::end() {
  const auto lock = std::lock_guard{mutex_};
  health_ = vmm_health::gone;
}

vmm_health simulated_machine::health() const {
  const auto lock = std::lock_guard{mutex_};
  return health_;
}

guest_image simulated_machine::image(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  return guest_;
}

uint64_t simulated_machine::pauses() const {
  const auto lock = std::lock_guard{mutex_};
  return pauses_;
}

void simulated_machine::run_until(time_point now) {
  if (now <= ran_until_)
    return;
  if (health_ != vmm_health::running) {
    ran_until_ = now;
    return;
  }
  const auto ticks = (now - ran_until_) / tick_interval;
  run_guest(guest_, guest_.tick + static_cast<uint64_t>(ticks));
  ran_until_ += ticks * tick_interval;
}

bool simulated_host::add(const sandbox_id& id,
                         const simulated_machine_ptr& machine) {
  const auto lock = std::lock_guard{mutex_};
  std::erase_if(machines_, [](const auto& item) {
    return item.second->health() == vmm_health::gone;
  });
  if (machines_.size() >= machines_max)
    return false;
  return machines_.try_emplace(id, machine).second;
}

simulated_machine_ptr simulated_host::find(const sandbox_id& id) const {
  const auto lock = std::lock_guard{mutex_};
  const auto found = machines_.find(id);
  if (found == machines_.end() || found->second->health() == vmm_health::gone)
    return nullptr;
  return found->second;
}

void simulated_host::end_all() {
  const auto lock = std::lock_guard{mutex_};
  for (const auto& [id, machine] : machines_)
    machine->end();
}

std::map<sandbox_id, simulated_machine_ptr> simulated_host::all() const {
  const auto lock = std::lock_guard{mutex_};
  return machines_;
}

} // namespace forkfleet
