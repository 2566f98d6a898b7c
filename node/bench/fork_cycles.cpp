// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_cycles.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "node/bench/guest_vm.hpp"
#include "node/bench/host_census.hpp"
#include "node/qemu/qemu_driver.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto cycle_limit = 60s;
constexpr std::size_t remarks_max = 10;
constexpr uint64_t readings_wanted = 10;
/// How long what was killed may take to be gone before it is counted.
constexpr auto settle_limit = 5s;
constexpr auto census_interval = 50ms;

/// Starts a child and ends it; nothing is left of it.
status run_cycle(vmm_driver& driver, const snapshot_files& files,
                 const std::string& parent, bool by_signal) {
  const auto what = plan_child("cycle", parent, files);
  if (!what)
    return tl::unexpected(what.error());
  const auto until = clock::now() + cycle_limit;
  const auto vm = driver.start(*what, until);
  if (vm && by_signal)
    kill(static_cast<pid_t>((*vm)->describe().pid), SIGKILL);
  auto ended = vm ? (*vm)->stop(until) : tl::unexpected(vm.error());
  std::error_code ignored;
  std::filesystem::remove_all(what->directory, ignored);
  return ended;
}

/// The count once nothing of what was killed is on its way out, or at last.
host_reading settled(const std::string& directory, uint64_t cycles,
                     uint64_t processes) {
  const auto until = clock::now() + settle_limit;
  auto now = take_census(directory, cycles);
  while (now.processes > processes && clock::now() < until) {
    std::this_thread::sleep_for(census_interval);
    now = take_census(directory, cycles);
  }
  return now;
}

} // namespace

expected<cycles_result> run_cycles(const cycles_plan& plan, branch_place& place,
                                   const std::function<bool()>& is_over) {
  qemu_driver driver{qemu_driver_settings{}};
  snapshot_files files;
  {
    const auto source =
      guest_vm::start(driver, {.name = "small",
                               .directory = plan.directory,
                               .guest_directory = plan.guest_directory,
                               .memory_mib = plan.memory_mib,
                               .has_hand = false});
    if (!source)
      return tl::unexpected(source.error());
    const snapshot_tag tag{"fork-cycles"};
    const auto taken =
      place.branch((*source)->driven(), tag, branch_mode::full);
    if (taken.report.outcome)
      return tl::unexpected(taken.report.outcome);
    auto opened = place.store().open(tag);
    if (!opened)
      return tl::unexpected(opened.error());
    files = std::move(*opened);
  }
  cycles_result result;
  result.readings.push_back(settled(plan.directory, 0, 0));
  const auto first = result.readings.front();
  const auto step = std::max<uint64_t>(plan.cycles / readings_wanted, 1);
  for (uint64_t cycle = 1; cycle <= plan.cycles && !is_over(); ++cycle) {
    const auto done = run_cycle(driver, files, plan.directory, cycle % 2 == 0);
    if (!done && ++result.failed <= remarks_max)
      result.remarks.push_back(
        fmt::format("cycle {}: {}", cycle, to_string(done.error())));
    if (cycle % step != 0 && cycle != plan.cycles)
      continue;
    result.readings.push_back(settled(plan.directory, cycle, first.processes));
    fmt::print("{:>6} cycles, {} failed\n", cycle, result.failed);
    std::fflush(stdout);
  }
  return result;
}

} // namespace forkfleet::bench
