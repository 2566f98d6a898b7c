// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/faults.hpp"

#include <utility>

namespace forkfleet {

using namespace std::chrono_literals;

simulated_faults::simulated_faults()
  : costs_{{stage::track, 200us},
           {stage::pause, 150us},
           {stage::capture, 400us},
           {stage::resume, 100us},
           {stage::drain, 3ms}} {}

void simulated_faults::takes(stage which, std::chrono::nanoseconds cost) {
  const auto lock = std::lock_guard{mutex_};
  costs_[which] = cost;
}

std::chrono::nanoseconds simulated_faults::cost(stage which) const {
  const auto lock = std::lock_guard{mutex_};
  const auto found = costs_.find(which);
  return found == costs_.end() ? 0ns : found->second;
}

void simulated_faults::add(stage which, simulated_fault fault) {
  const auto lock = std::lock_guard{mutex_};
  faults_[which].push_back(fault);
}

void simulated_faults::set_chance(
  std::function<simulated_fault(stage)> chance) {
  const auto lock = std::lock_guard{mutex_};
  chance_ = std::move(chance);
}

void simulated_faults::set_crash(std::function<void()> crash) {
  const auto lock = std::lock_guard{mutex_};
  crash_ = std::move(crash);
}

simulated_fault simulated_faults::next(stage which) {
  const auto lock = std::lock_guard{mutex_};
  auto& waiting = faults_[which];
  if (waiting.empty())
    return chance_ ? chance_(which) : simulated_fault{};
  const auto result = waiting.front();
  waiting.pop_front();
  return result;
}

void simulated_faults::crash() {
  auto end_node = std::function<void()>{};
  {
    const auto lock = std::lock_guard{mutex_};
    end_node = crash_;
  }
  if (end_node)
    end_node();
  throw simulated_crash{};
}

} // namespace forkfleet
