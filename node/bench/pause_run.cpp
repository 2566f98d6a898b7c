// SPDX-License-Identifier: Apache-2.0
#include "node/bench/pause_run.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include <fmt/format.h>

#include "node/bench/csv.hpp"
#include "node/bench/host_load.hpp"
#include "node/bench/vm_captures.hpp"
#include "node/bench/work_directory.hpp"
#include "node/qemu/qemu_driver.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;

bool is_of_hand_vm(capture_way way) {
  return way == capture_way::stopped || way == capture_way::attached;
}

class pause_bench {
public:
  pause_bench(const pause_plan& plan, conditions about,
              const results_folder& folder, const interruption& interrupted)
    : plan_(plan), folder_(folder), interrupted_(interrupted),
      started_(clock::now()), work_(plan.directory) {
    results_.name = plan.name;
    results_.about = std::move(about);
    results_.checks_wanted = plan.checks;
  }

  status run();
  pause_results& results() { return results_; }

private:
  void describe();
  bool is_over() const {
    return interrupted_.came() || clock::now() - started_ > plan_.limit;
  }
  guest_plan guest_of(uint64_t memory, uint64_t rate, vm_owner owner) const;
  std::vector<capture_way> ways_of(vm_owner owner) const;
  status run_vm(uint64_t memory, uint64_t rate, vm_owner owner,
                uint64_t captures);
  void add(const pause_sample& sample);
  void tear(vm_captures& vm, const std::string& name);
  status check_more();
  uint64_t checked() const;
  status keep();

  const pause_plan& plan_;
  const results_folder& folder_;
  const interruption& interrupted_;
  clock::time_point started_;
  work_directory work_;
  qemu_driver driver_{qemu_driver_settings{}};
  std::unique_ptr<branch_place> place_ = {};
  pause_results results_ = {};
  uint64_t vms_ = 0;
  std::set<uint64_t> torn_ = {}; // memories with a negative control
};

void pause_bench::describe() {
  auto& settings = results_.about.settings;
  settings.push_back("how: the QEMU driver, run_branch, the disk store and "
                     "the journal in one process; no coordinator and no "
                     "messages");
  settings.push_back("snapshots on: " + place_->store().file_system() + ", "
                     + plan_.directory);
  settings.push_back("before each diff another one is taken 0.3 s earlier, as "
                     "in a chain; the guest's gap of a diff is of both");
  settings.push_back(fmt::format(
    "{} captures by each way and VM, in turn; ways on a VM of ours: floor, "
    "diff, full, live; on a VM that was started by hand and attached to: "
    "attached, stopped",
    plan_.captures));
}

guest_plan pause_bench::guest_of(uint64_t memory, uint64_t rate,
                                 vm_owner owner) const {
  return {.name = fmt::format("vm{}", vms_),
          .directory = work_.path(),
          .guest_directory = plan_.guest_directory,
          .memory_mib = memory,
          .rate_mib = rate,
          .owner = owner};
}

/// A VM of ours also shows the floor.
std::vector<capture_way> pause_bench::ways_of(vm_owner owner) const {
  std::vector<capture_way> ways;
  for (const auto way : plan_.ways)
    if (is_of_hand_vm(way) == (owner == vm_owner::hand))
      ways.push_back(way);
  if (!ways.empty() && owner == vm_owner::driver)
    ways.insert(ways.begin(), capture_way::floor);
  return ways;
}

status pause_bench::run_vm(uint64_t memory, uint64_t rate, vm_owner owner,
                           uint64_t captures) {
  const auto ways = ways_of(owner);
  if (ways.empty() || is_over())
    return {};
  ++vms_;
  const auto name = fmt::format("{} MiB, {} MiB/s, {}", memory, rate,
                                owner == vm_owner::hand ? "attached" : "ours");
  auto vm = vm_captures::start(driver_, *place_, guest_of(memory, rate, owner));
  if (!vm) {
    results_.about.remarks.push_back(name + ": " + to_string(vm.error()));
    fmt::print("{}: {}\n", name, to_string(vm.error()));
    return keep();
  }
  if (owner == vm_owner::driver)
    if (auto base = (*vm)->take_base(); !base)
      results_.about.remarks.push_back(
        name + ", first snapshot: " + to_string(base.error()));
  for (uint64_t number = 1; number <= captures && !is_over(); ++number)
    for (const auto place : rotated(ways.size(), number)) {
      if (is_over() || (*vm)->lacks(ways[place]))
        continue;
      add((*vm)->capture(ways[place], number, plan_.checks > 0));
    }
  if (plan_.checks > 0 && rate > 0 && owner == vm_owner::driver && !is_over()
      && torn_.insert(memory).second)
    tear(**vm, name);
  return keep();
}

void pause_bench::add(const pause_sample& sample) {
  const auto ms = [](microseconds x) {
    return static_cast<double>(x.count()) / 1e3;
  };
  fmt::print("{:>5.0f} s  {:>4} MiB {:>3} MiB/s  {:<8} {:<20} pause {:.2f}, "
             "guest's gap {:.2f}, total {:.1f} ms, {} MiB written, {} {}\n",
             std::chrono::duration<double>(clock::now() - started_).count(),
             sample.memory_mib, sample.rate_mib, to_string(sample.way),
             sample.method, ms(sample.pause), ms(sample.guest_gap),
             ms(sample.total), sample.written_bytes >> 20,
             schema::name_of(sample.check), sample.remark);
  std::fflush(stdout);
  results_.samples.push_back(sample);
}

void pause_bench::tear(vm_captures& vm, const std::string& name) {
  const auto found = vm.find_torn();
  if (!found) {
    results_.about.remarks.push_back("negative control, " + name + ": "
                                     + to_string(found.error()));
    return;
  }
  ++results_.torn_made;
  results_.torn_caught += found->empty() ? 0 : 1;
  const auto text = "a torn snapshot, " + name + ": "
                    + (found->empty() ? "NOT FOUND OUT" : *found);
  results_.about.remarks.push_back(text);
  fmt::print("         {}\n", text);
}

uint64_t pause_bench::checked() const {
  return static_cast<uint64_t>(std::count_if(
    results_.samples.begin(), results_.samples.end(),
    [](const pause_sample& x) { return x.check == check_outcome::right; }));
}

/// More captures of the smallest VM, until enough were checked.
status pause_bench::check_more() {
  while (checked() < plan_.checks && !is_over()) {
    const auto before = checked();
    const auto ways = std::max<uint64_t>(ways_of(vm_owner::driver).size(), 2);
    const auto missing = (plan_.checks - before) / (ways - 1) + 1;
    if (auto done = run_vm(plan_.memories.front(), plan_.rates.back(),
                           vm_owner::driver, missing);
        !done)
      return done;
    if (checked() == before)
      return {};
  }
  return {};
}

status pause_bench::keep() {
  results_.about.ended_at = utc_now();
  results_.about.load_after = load_average();
  const schema::json all{{"conditions", schema::to_json(results_.about)},
                         {"targets", json_of(pause_targets(results_))},
                         {"torn_made", results_.torn_made},
                         {"torn_caught", results_.torn_caught},
                         {"captures", json_of(results_.samples)}};
  const auto& name = results_.name;
  auto kept = folder_.keep(name + ".csv", csv_of(json_of(results_.samples)));
  if (kept)
    kept = folder_.keep(name + ".json", schema::dump(all, 1) + "\n");
  if (kept)
    kept = folder_.keep(name + ".svg", svg_of(pause_plots(results_)));
  if (kept)
    kept = folder_.keep("README.md", pause_report(results_));
  return kept;
}

status pause_bench::run() {
  if (work_.path().empty())
    return tl::unexpected(
      errno_failure(errno, "make a directory in " + plan_.directory));
  auto place = branch_place::open(work_.path() + "/node");
  if (!place)
    return tl::unexpected(place.error());
  place_ = std::move(*place);
  describe();
  for (const auto memory : plan_.memories)
    for (const auto rate : plan_.rates)
      for (const auto owner : {vm_owner::driver, vm_owner::hand})
        if (auto done = run_vm(memory, rate, owner, plan_.captures); !done)
          return done;
  if (auto done = check_more(); !done)
    return done;
  results_.about.complete = !is_over();
  if (!results_.about.complete)
    results_.about.remarks.push_back(interrupted_.came()
                                       ? "interrupted by a signal"
                                       : "the time of --limit was over");
  return keep();
}

} // namespace

expected<pause_results> run_pauses(const pause_plan& plan, conditions about,
                                   const results_folder& folder,
                                   const interruption& interrupted) {
  pause_bench bench{plan, std::move(about), folder, interrupted};
  if (auto done = bench.run(); !done)
    return tl::unexpected(done.error());
  return std::move(bench.results());
}

} // namespace forkfleet::bench
