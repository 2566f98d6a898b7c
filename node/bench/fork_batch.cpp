// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_batch.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "node/bench/memory_use.hpp"
#include "node/bench/timing.hpp"
#include "node/simulated/simulated_driver.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto child_limit = 30s;
constexpr auto tick_interval = 1ms;
/// What the simulated guest wrote before its branch: it is warm.
constexpr auto warm_up = 200ms;

start_plan simulated_plan(const std::string& name, uint64_t memory_mib) {
  start_plan plan{.id = {name}};
  plan.spec.name = {name};
  plan.spec.driver = config::driver_kind::simulated;
  plan.spec.memory = {memory_mib << 20};
  return plan;
}

/// The count of a simulated guest once it is beyond `counter`.
expected<uint64_t> count_beyond(simulated_machine& machine, uint64_t counter) {
  const auto until = clock::now() + child_limit;
  while (clock::now() < until) {
    if (const auto state = machine.state(clock::now()); state.tick > counter)
      return state.tick;
    std::this_thread::sleep_for(tick_interval);
  }
  return fail(ec::deadline_exceeded, "it does not count");
}

status start_simulated(simulated_driver& driver, simulated_host& host,
                       const snapshot_files& files, uint64_t memory_mib,
                       fork_sample& sample) {
  auto plan =
    simulated_plan(fmt::format("child-{}", sample.number), memory_mib);
  plan.snapshot = files;
  const auto begun = clock::now();
  const auto vm = driver.start(plan, begun + child_limit);
  if (!vm)
    return tl::unexpected(vm.error());
  sample.started = since(begun);
  const auto machine = host.find(plan.id);
  const auto counter = count_beyond(*machine, sample.branch_counter);
  if (!counter)
    return tl::unexpected(counter.error());
  sample.first_counter = *counter;
  sample.identity = machine->generation();
  sample.ready = since(begun);
  return {};
}

/// Whether its memory is of one instant and it counts further.
status check_simulated(simulated_machine& machine, fork_sample& sample) {
  const auto now = machine.image(clock::now());
  if (auto whole = check_instant(now); !whole)
    return whole;
  if (auto further = count_beyond(machine, sample.first_counter); !further)
    return tl::unexpected(further.error());
  sample.counts_on = true;
  return {};
}

} // namespace

void in_parallel(uint64_t count, uint64_t threads,
                 const std::function<void(uint64_t)>& work,
                 const std::function<bool()>& stop) {
  std::atomic<uint64_t> next{0};
  std::vector<std::jthread> hands;
  for (uint64_t i = 0; i < std::min(std::max<uint64_t>(threads, 1), count); ++i)
    hands.emplace_back([&] {
      for (auto mine = next++; mine < count && !stop(); mine = next++)
        work(mine);
    });
}

expected<fork_samples> fork_simulated(const batch_plan& plan,
                                      branch_place& place,
                                      const std::function<bool()>& is_over) {
  const auto host = std::make_shared<simulated_host>();
  simulated_driver driver{{.host = host, .start_cost = 0ns}};
  auto source = driver.start(simulated_plan("simulated", plan.memory_mib),
                             clock::now() + child_limit);
  if (!source)
    return tl::unexpected(source.error());
  std::this_thread::sleep_for(warm_up);
  const snapshot_tag tag{"fork-simulated"};
  const auto taken = place.branch(*source, tag, branch_mode::full);
  if (taken.report.outcome)
    return tl::unexpected(taken.report.outcome);
  const auto files = place.store().open(tag);
  if (!files)
    return tl::unexpected(files.error());
  const auto branched = read_state(files->vmstate_path);
  if (!branched)
    return tl::unexpected(branched.error());
  const auto before = read_memory_use(0);
  if (!before)
    return tl::unexpected(before.error());
  fork_samples samples(plan.children);
  in_parallel(
    plan.children, plan.in_flight,
    [&](uint64_t i) {
      auto& sample = samples[i];
      sample = {.driver = "simulated",
                .number = i + 1,
                .branch_counter = branched->tick};
      if (const auto done =
            start_simulated(driver, *host, *files, plan.memory_mib, sample);
          !done)
        sample.remark = to_string(done.error());
    },
    is_over);
  std::erase_if(samples, [](const auto& x) { return x.number == 0; });
  const auto after = read_memory_use(0);
  for (auto& x : samples) {
    const auto machine = host->find({fmt::format("child-{}", x.number)});
    if (const auto right =
          machine && x.remark.empty() ? check_simulated(*machine, x) : status{};
        !right)
      x.remark = to_string(right.error());
    if (after && after->own > before->own)
      x.own_bytes = (after->own - before->own) / samples.size();
    if (after && after->pss > before->pss)
      x.pss_bytes = (after->pss - before->pss) / samples.size();
  }
  host->end_all();
  return samples;
}

} // namespace forkfleet::bench
