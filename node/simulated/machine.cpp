// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/machine.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace forkfleet {

using std::chrono::nanoseconds;

simulated_machine::simulated_machine(guest_ram ram, const guest_state& state,
                                     uint64_t vcpus, guest_habits habits,
                                     time_point now)
  : ram_(std::move(ram)), vcpus_(vcpus), habits_(habits), tick_(state.tick),
    ran_until_(now) {
  habits_.working_pages = state.working_pages;
}

expected<simulated_machine_ptr> simulated_machine::boot(uint64_t memory_bytes,
                                                        uint64_t vcpus,
                                                        guest_habits habits,
                                                        time_point now) {
  auto ram = guest_ram::make(memory_bytes);
  if (!ram)
    return tl::unexpected{ram.error()};
  if (habits.working_pages == 0)
    habits.working_pages = usual_working_pages(memory_bytes);
  // Page 0 is the counter's.
  const auto working_pages = std::min(habits.working_pages, ram->pages() - 1);
  return resume_from(std::move(*ram), {memory_bytes, working_pages, 0}, vcpus,
                     habits, now);
}

simulated_machine_ptr simulated_machine::resume_from(guest_ram ram,
                                                     const guest_state& state,
                                                     uint64_t vcpus,
                                                     guest_habits habits,
                                                     time_point now) {
  return simulated_machine_ptr{
    new simulated_machine{std::move(ram), state, vcpus, habits, now}};
}

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

void simulated_machine::run(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
}

guest_image simulated_machine::image(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  auto result = guest_image{.memory_bytes = memory_bytes(), .tick = tick_};
  for (uint64_t page = 0; page < habits_.working_pages; ++page)
    result.ticks.push_back(last_write(tick_, page, habits_.working_pages));
  return result;
}

guest_state simulated_machine::state(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  return {memory_bytes(), habits_.working_pages, tick_};
}

void simulated_machine::write(uint64_t pages, time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  if (health_ == vmm_health::running)
    count_to(tick_ + pages);
}

void simulated_machine::set_writes_per_second(uint64_t writes, time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  habits_.writes_per_second = writes;
  ran_until_ = now;
}

page_set simulated_machine::take_written(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  return ram_.take_written();
}

void simulated_machine::give_back_written(const page_set& pages) {
  const auto lock = std::lock_guard{mutex_};
  ram_.give_back_written(pages);
}

page_set simulated_machine::touched(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  return ram_.touched();
}

uint64_t simulated_machine::written_pages(time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  return ram_.written().count();
}

void simulated_machine::read(memory_range range, std::span<uint8_t> into,
                             time_point now) {
  const auto lock = std::lock_guard{mutex_};
  run_until(now);
  std::memcpy(into.data(), ram_.bytes().data() + range.begin, range.bytes());
}

uint64_t simulated_machine::pauses() const {
  const auto lock = std::lock_guard{mutex_};
  return pauses_;
}

void simulated_machine::run_until(time_point now) {
  if (now <= ran_until_)
    return;
  if (health_ != vmm_health::running || habits_.writes_per_second == 0) {
    ran_until_ = now;
    return;
  }
  const auto interval =
    nanoseconds{std::chrono::seconds{1}} / habits_.writes_per_second;
  const auto ticks = (now - ran_until_) / interval;
  count_to(tick_ + static_cast<uint64_t>(ticks));
  ran_until_ +=
    std::chrono::duration_cast<time_point::duration>(ticks * interval);
}

/// The guest writes a page with each tick, and says in page 0 how far it is.
void simulated_machine::count_to(uint64_t tick) {
  if (tick == tick_)
    return;
  const auto count = habits_.working_pages;
  // A page that is written again before `tick` need not be written twice.
  for (auto t = std::max(tick_, tick > count ? tick - count : 0); t < tick;
       ++t) {
    const auto page = t % count + 1;
    stamp_page(ram_.edit(page), page, t + 1);
  }
  stamp_page(ram_.edit(0), 0, tick);
  tick_ = tick;
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
