// SPDX-License-Identifier: Apache-2.0
#include "node/bench/soak_run.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "actors/fault.hpp"
#include "actors/schema/units.hpp"
#include "examples/numbered_image.hpp"
#include "node/bench/host_load.hpp"
#include "node/bench/vm_captures.hpp"
#include "node/bench/work_directory.hpp"
#include "node/qemu/qemu_driver.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr uint64_t disk_bytes = 32u << 20;
constexpr uint64_t rounds_per_vm = 5;
// A torn child is not torn each time: what was in flight differs.
constexpr int control_tries = 20;

/// One kind of VM, and the ways that it is captured.
struct soak_kind {
  std::string name = {};
  vm_owner owner = vm_owner::driver;
  bool is_direct = false;
  bool is_shared = false;
  std::vector<capture_way> ways = {};
};

std::vector<soak_kind> soak_kinds() {
  using enum capture_way;
  return {
    {"ours, direct disk", vm_owner::driver, true, false, {diff, full, live}},
    {"ours, cached disk", vm_owner::driver, false, false, {diff, full, live}},
    {"attached, shared, direct disk",
     vm_owner::hand,
     true,
     true,
     {attached, stopped}}};
}

class soak {
public:
  soak(const soak_plan& plan, conditions about, const results_folder& folder,
       const interruption& interrupted)
    : plan_(plan), folder_(folder), interrupted_(interrupted),
      started_(clock::now()), work_(plan.directory) {
    results_.about = std::move(about);
    results_.checks_wanted = plan.checks;
  }

  status run();
  soak_results& results() { return results_; }

private:
  bool is_over() const {
    return interrupted_.came() || clock::now() - started_ > plan_.limit;
  }
  guest_plan guest_of(const soak_kind& kind);
  status run_vm(const soak_kind& kind, soak_case& into);
  void control_half();
  void control_direct();
  status keep();

  const soak_plan& plan_;
  const results_folder& folder_;
  const interruption& interrupted_;
  clock::time_point started_;
  work_directory work_;
  qemu_driver driver_{qemu_driver_settings{}};
  std::unique_ptr<branch_place> place_ = {};
  soak_results results_ = {};
  uint64_t vms_ = 0;
};

guest_plan soak::guest_of(const soak_kind& kind) {
  return {.name = fmt::format("vm{}", ++vms_),
          .directory = work_.path(),
          .guest_directory = plan_.guest_directory,
          .memory_mib = plan_.memory_mib,
          .rate_mib = plan_.rate_mib,
          .owner = kind.owner,
          .numbered_disk = work_.path() + "/numbered.raw",
          .is_disk_direct = kind.is_direct,
          .is_memory_shared = kind.is_shared};
}

status soak::run_vm(const soak_kind& kind, soak_case& into) {
  auto vm = vm_captures::start(driver_, *place_, guest_of(kind));
  if (!vm) {
    results_.about.remarks.push_back(kind.name + ": " + to_string(vm.error()));
    fmt::print("{}: {}\n", kind.name, to_string(vm.error()));
    return keep();
  }
  if (kind.owner == vm_owner::driver)
    if (auto base = (*vm)->take_base(); !base)
      results_.about.remarks.push_back(
        kind.name + ", first snapshot: " + to_string(base.error()));
  for (uint64_t i = 1; i <= rounds_per_vm && !is_over(); ++i)
    for (const auto way : kind.ways) {
      if (is_over()
          || count_checks(results_, check_outcome::right) >= plan_.checks)
        return keep();
      into.samples.push_back(
        (*vm)->capture(way, into.samples.size() + 1, true));
      const auto& x = into.samples.back();
      fmt::print("{:>5.0f} s  {:<30} {:<8} {:<20} {} {}\n",
                 std::chrono::duration<double>(clock::now() - started_).count(),
                 kind.name, to_string(way), x.method, schema::name_of(x.check),
                 x.remark);
      std::fflush(stdout);
    }
  return keep();
}

/// Two halves of two instants.
void soak::control_half() {
  auto& control = results_.controls.emplace_back();
  control.name = "the second half of memory is of a later instant";
  const auto kind = soak_kinds()[1];
  auto vm = vm_captures::start(driver_, *place_, guest_of(kind));
  const auto found = vm ? (*vm)->find_torn() : tl::unexpected(vm.error());
  if (found)
    control.found = *found;
  else
    results_.about.remarks.push_back(control.name + ": "
                                     + to_string(found.error()));
}

/// What would be without the look at disks.
void soak::control_direct() {
  auto& control = results_.controls.emplace_back();
  control.name = "a disk with cache.direct is overlooked, and memory tracked";
  ::setenv(fault_variable, "fail:survey.direct", 1);
  auto vm = vm_captures::start(driver_, *place_, guest_of(soak_kinds()[0]));
  if (!vm)
    results_.about.remarks.push_back(control.name + ": "
                                     + to_string(vm.error()));
  for (int i = 1; vm && i <= control_tries && control.found.empty(); ++i) {
    const auto x =
      (*vm)->capture(capture_way::live, static_cast<uint64_t>(i), true);
    if (x.check == check_outcome::wrong)
      control.found = fmt::format("found in try {}: {}", i, x.remark);
  }
  ::unsetenv(fault_variable);
}

status soak::keep() {
  results_.about.ended_at = utc_now();
  results_.about.load_after = load_average();
  return folder_.keep("README.md", soak_report(results_));
}

status soak::run() {
  if (work_.path().empty())
    return tl::unexpected(
      errno_failure(errno, "make a directory in " + plan_.directory));
  auto place = branch_place::open(work_.path() + "/node");
  if (!place)
    return tl::unexpected(place.error());
  place_ = std::move(*place);
  if (auto made =
        guest::make_numbered_image(work_.path() + "/numbered.raw", disk_bytes);
      !made)
    return made;
  results_.about.settings.push_back(
    fmt::format("guests of {} MiB with two processors that write {} MiB/s",
                plan_.memory_mib, plan_.rate_mib));
  results_.about.settings.push_back("snapshots and the disk on: "
                                    + place_->store().file_system() + ", "
                                    + plan_.directory);
  control_half();
  control_direct();
  const auto kinds = soak_kinds();
  for (const auto& kind : kinds)
    results_.cases.push_back({.name = kind.name});
  auto checked = std::optional<std::size_t>{};
  while (!is_over()
         && count_checks(results_, check_outcome::right) < plan_.checks) {
    // A round in which nothing could be checked is the last one.
    const auto before = count_checks(results_, check_outcome::right)
                        + count_checks(results_, check_outcome::wrong);
    if (checked == before)
      break;
    checked = before;
    for (std::size_t i = 0; i < kinds.size() && !is_over(); ++i)
      if (auto done = run_vm(kinds[i], results_.cases[i]); !done)
        return done;
  }
  results_.about.complete = !is_over();
  if (!results_.about.complete)
    results_.about.remarks.push_back(interrupted_.came()
                                       ? "interrupted by a signal"
                                       : "the time of --limit was over");
  return keep();
}

} // namespace

expected<soak_plan> soak_plan_of(const config::invocation& given) {
  std::error_code ignored;
  auto plan = soak_plan{
    .memory_mib =
      given.bytes("memory").value_or(config::byte_size{192ull << 20}).value
      >> 20,
    .rate_mib = given.number("rate").value_or(40),
    .checks = given.number("check").value_or(300),
    .guest_directory =
      std::filesystem::absolute(given.text("guest"), ignored).string(),
    .directory =
      std::filesystem::absolute(given.text("directory"), ignored).string(),
    .limit = given.duration("limit").value_or(std::chrono::minutes{40})};
  if (plan.memory_mib < 96)
    return fail(ec::invalid_request, "--memory: give at least 96MiB");
  for (const auto* file : {"/vmlinuz", "/initrd.img"})
    if (!std::filesystem::exists(plan.guest_directory + file))
      return fail(ec::invalid_request,
                  "no example guest: " + plan.guest_directory + file
                    + " is not there; make it with ./dev guest or name its "
                      "directory with --guest");
  return plan;
}

expected<soak_results> run_soak(const soak_plan& plan, conditions about,
                                const results_folder& folder,
                                const interruption& interrupted) {
  soak run{plan, std::move(about), folder, interrupted};
  if (auto done = run.run(); !done)
    return tl::unexpected(done.error());
  return std::move(run.results());
}

} // namespace forkfleet::bench
