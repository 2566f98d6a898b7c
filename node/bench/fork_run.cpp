// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_run.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/schema/units.hpp"
#include "node/bench/csv.hpp"
#include "node/bench/fork_batch.hpp"
#include "node/bench/fork_cycles.hpp"
#include "node/bench/host_load.hpp"
#include "node/bench/work_directory.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;

class fork_bench {
public:
  fork_bench(const fork_plan& plan, conditions about,
             const results_folder& folder, const interruption& interrupted)
    : plan_(plan), folder_(folder), interrupted_(interrupted),
      started_(clock::now()), work_(plan.directory) {
    results_ = {.about = std::move(about),
                .memory_mib = plan.memory_mib,
                .simulated_wanted = plan.simulated,
                .vms_wanted = plan.vms,
                .cycles_wanted = plan.cycles};
  }

  status run();
  fork_results& results() { return results_; }

private:
  bool is_over() const {
    return interrupted_.came() || clock::now() - started_ > plan_.limit;
  }
  void describe();
  batch_plan batch_of(uint64_t children) const;
  status add(const char* what, expected<fork_samples> samples);
  status cycle();
  status keep();

  const fork_plan& plan_;
  const results_folder& folder_;
  const interruption& interrupted_;
  clock::time_point started_;
  work_directory work_;
  std::string vms_ = {}; // the VMs' directories, and nothing else
  std::unique_ptr<branch_place> place_ = {};
  fork_results results_ = {};
};

void fork_bench::describe() {
  auto& settings = results_.about.settings;
  settings.push_back("how: the drivers, the disk store and the guest agent in "
                     "one process; no coordinator and no messages");
  settings.push_back("snapshots on: " + place_->store().file_system() + ", "
                     + plan_.directory);
  settings.push_back(fmt::format("{} children are started at once, of a "
                                 "snapshot that was just written",
                                 plan_.in_flight));
  settings.push_back(fmt::format("guests: idle, {} MiB; in the cycles {} MiB",
                                 plan_.memory_mib, plan_.cycle_memory_mib));
}

batch_plan fork_bench::batch_of(uint64_t children) const {
  return {.children = children,
          .in_flight = plan_.in_flight,
          .memory_mib = plan_.memory_mib,
          .guest_directory = plan_.guest_directory,
          .directory = vms_};
}

/// A guest that does not work is a remark.
status fork_bench::add(const char* what, expected<fork_samples> samples) {
  if (!samples) {
    results_.about.remarks.push_back(std::string{what} + ": "
                                     + to_string(samples.error()));
    fmt::print("{}: {}\n", what, to_string(samples.error()));
    return keep();
  }
  for (auto& x : *samples)
    results_.samples.push_back(std::move(x));
  fmt::print("{}", plain_text(fork_table(results_)));
  std::fflush(stdout);
  return keep();
}

status fork_bench::cycle() {
  auto done = run_cycles({.cycles = plan_.cycles,
                          .memory_mib = plan_.cycle_memory_mib,
                          .guest_directory = plan_.guest_directory,
                          .directory = vms_},
                         *place_, [this] { return is_over(); });
  if (!done) {
    results_.about.remarks.push_back("cycles: " + to_string(done.error()));
    return keep();
  }
  results_.readings = std::move(done->readings);
  results_.cycles_failed = done->failed;
  for (auto& x : done->remarks)
    results_.about.remarks.push_back(std::move(x));
  return keep();
}

status fork_bench::keep() {
  results_.about.ended_at = utc_now();
  results_.about.load_after = load_average();
  const schema::json all{{"conditions", schema::to_json(results_.about)},
                         {"targets", json_of(fork_targets(results_))},
                         {"children", json_of(results_.samples)},
                         {"readings", json_of(results_.readings)}};
  auto kept = folder_.keep("fork.csv", csv_of(json_of(results_.samples)));
  if (kept)
    kept = folder_.keep("fork.json", schema::dump(all, 1) + "\n");
  if (kept)
    kept = folder_.keep("fork.svg", svg_of(fork_plots(results_)));
  if (kept)
    kept = folder_.keep("README.md", fork_report(results_));
  return kept;
}

status fork_bench::run() {
  vms_ = work_.path() + "/vms";
  if (work_.path().empty())
    return tl::unexpected(
      errno_failure(errno, "make a directory in " + plan_.directory));
  if (auto made = make_directory(vms_); !made)
    return made;
  auto place = branch_place::open(work_.path() + "/node");
  if (!place)
    return tl::unexpected(place.error());
  place_ = std::move(*place);
  describe();
  auto done = status{};
  if (plan_.simulated > 0 && !is_over())
    done = add("simulated", fork_simulated(batch_of(plan_.simulated), *place_,
                                           [this] { return is_over(); }));
  if (done && plan_.vms > 0 && !is_over())
    done = add("qemu", fork_vms(batch_of(plan_.vms), *place_,
                                [this] { return is_over(); }));
  if (done && plan_.cycles > 0 && !is_over())
    done = cycle();
  results_.about.complete = !is_over();
  const auto kept = keep();
  return done ? kept : done;
}

expected<uint64_t> memory_of(const config::invocation& given,
                             const std::string& name) {
  const auto bytes = schema::parse_bytes(given.text(name));
  if (!bytes || *bytes >> 20 < 64)
    return fail(ec::invalid_request,
                "--" + name + " " + given.text(name) + ": give at least 64MiB");
  return *bytes >> 20;
}

} // namespace

expected<fork_plan> fork_plan_of(const config::invocation& given) {
  const auto memory = memory_of(given, "memory");
  if (!memory)
    return tl::unexpected(memory.error());
  const auto small = memory_of(given, "cycle-memory");
  if (!small)
    return tl::unexpected(small.error());
  std::error_code ignored;
  const fork_plan plan{
    .memory_mib = *memory,
    .simulated = given.number("simulated").value_or(100),
    .vms = given.number("vms").value_or(24),
    .in_flight = given.number("in-flight").value_or(4),
    .cycles = given.number("cycles").value_or(1000),
    .cycle_memory_mib = *small,
    .guest_directory =
      std::filesystem::absolute(given.text("guest"), ignored).string(),
    .directory =
      std::filesystem::absolute(given.text("directory"), ignored).string(),
    .limit = given.duration("limit").value_or(std::chrono::minutes{30})};
  for (const auto* file : {"/vmlinuz", "/initrd.img", "/initrd-agent.img"})
    if (plan.vms + plan.cycles > 0
        && !std::filesystem::exists(plan.guest_directory + file))
      return fail(ec::invalid_request,
                  "no example guest: " + plan.guest_directory + file
                    + " is not there; make it with ./dev guest, name its "
                      "directory with --guest, or give --vms 0 --cycles 0");
  return plan;
}

expected<fork_results> run_forks(const fork_plan& plan, conditions about,
                                 const results_folder& folder,
                                 const interruption& interrupted) {
  fork_bench bench{plan, std::move(about), folder, interrupted};
  if (auto done = bench.run(); !done)
    return tl::unexpected(done.error());
  return std::move(bench.results());
}

} // namespace forkfleet::bench
