// SPDX-License-Identifier: Apache-2.0
#include "tests/support/world.hpp"

#include <algorithm>
#include <utility>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace forkfleet::test {

world::world(uint64_t seed, const std::function<void(system_config&)>& extend)
  : dice_(seed), config_({.network = false, .simulated = true}) {
  if (extend)
    extend(config_);
  system_ = std::make_unique<caf::actor_system>(config_);
  run();
}

world::~world() {
  for (const auto& actor : actors_)
    if (auto alive = caf::actor_cast<caf::strong_actor_ptr>(actor))
      end(alive);
  run();
  scheduler().clock().cancel_all();
}

world::time_point world::now() const {
  return system_->clock().now();
}

uint64_t world::dice(uint64_t below) {
  return below == 0 ? 0 : dice_() % below;
}

bool world::run_one() {
  auto& jobs = scheduler().jobs;
  if (jobs.empty())
    return false;
  std::swap(jobs.front(), jobs[dice(jobs.size())]);
  return scheduler().try_run_once();
}

void world::run() {
  while (run_one())
    continue;
}

bool world::next_timeout(time_point limit) {
  run();
  auto& clock = scheduler().clock();
  const auto& due = clock.schedule();
  if (due.empty() || due.begin()->first > limit) {
    clock.current_time = std::max(clock.current_time, limit);
    return false;
  }
  return clock.trigger_timeout();
}

void world::advance(caf::timespan time) {
  const auto limit = now() + time;
  while (next_timeout(limit))
    run();
}

void world::pass(caf::timespan time) {
  scheduler().clock().current_time += time;
}

void world::keep(const caf::strong_actor_ptr& actor) {
  actors_.push_back(caf::actor_cast<caf::weak_actor_ptr>(actor));
}

void world::end(const caf::strong_actor_ptr& actor) {
  caf::anon_send_exit(actor, caf::exit_reason::kill);
}

caf::scheduler::test_coordinator& world::scheduler() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
}

} // namespace forkfleet::test
