// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest_writer.hpp"

#include <algorithm>

namespace forkfleet {

guest_writer::guest_writer() : thread_([this] { run(); }) {}

guest_writer::~guest_writer() {
  {
    const auto lock = std::lock_guard{mutex_};
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void guest_writer::add(const simulated_machine_ptr& machine) {
  {
    const auto lock = std::lock_guard{mutex_};
    machines_.push_back(machine);
  }
  changed_.notify_all();
}

void guest_writer::run() {
  auto lock = std::unique_lock{mutex_};
  while (!ends_) {
    std::erase_if(machines_, [](const auto& x) {
      const auto machine = x.lock();
      return !machine || machine->health() == vmm_health::gone;
    });
    if (machines_.empty()) {
      changed_.wait(lock);
      continue;
    }
    for (const auto& x : machines_)
      if (const auto machine = x.lock())
        machine->run(std::chrono::steady_clock::now());
    changed_.wait_for(lock, interval);
  }
}

} // namespace forkfleet
