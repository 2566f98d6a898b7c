// SPDX-License-Identifier: Apache-2.0
#include "node/bench/chain_run.hpp"

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "node/bench/chain_path.hpp"
#include "node/bench/chain_report.hpp"
#include "node/bench/csv.hpp"
#include "node/bench/host_load.hpp"
#include "node/bench/rig.hpp"
#include "node/simulated/guest_writer.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::duration_cast;

constexpr uint64_t control_images_kept = 2;
constexpr uint64_t disk_images_kept = 11;
/// The kernel's threshold, in images: the seed's own runs met it after two.
constexpr uint64_t threshold_images = 2;

/// One chain under way: its guest, its path, and what it measured.
class chain_under_way {
public:
  chain_under_way(const chain_step& step, std::string directory,
                  uint64_t image_bytes, std::chrono::milliseconds gap)
    : step_(step), directory_(std::move(directory)), image_bytes_(image_bytes),
      gap_(gap) {}
  ~chain_under_way();
  chain_under_way(const chain_under_way&) = delete;
  chain_under_way& operator=(const chain_under_way&) = delete;

  status begin();
  void let_dirty();
  expected<chain_sample> branch(uint64_t number);
  chain_end end(const status& outcome);

private:
  microseconds null_pause();
  uint64_t diff_pages() const {
    return step_.diff_mib * mib / guest_page_bytes;
  }
  bool is_ours() const {
    return step_.arm == chain_arm::ours_full
           || step_.arm == chain_arm::ours_reflink
           || step_.arm == chain_arm::ours_diff;
  }
  void set_busy(bool busy);

  chain_step step_;
  std::string directory_;
  uint64_t image_bytes_;
  std::chrono::milliseconds gap_;
  guest_writer writer_ = {};
  simulated_machine_ptr guest_ = {};
  chain_path_ptr path_ = {};
  time_series nulls_ = {};
  uint64_t number_ = 0;      // of the last BRANCH
  bool has_written_ = false; // the guest, since then
};

chain_under_way::~chain_under_way() {
  path_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

status chain_under_way::begin() {
  std::filesystem::create_directories(directory_);
  // The first page is the guest's own counter.
  const auto pages = image_bytes_ / guest_page_bytes - 1;
  auto guest = simulated_machine::boot(
    image_bytes_, 1, {.working_pages = pages, .writes_per_second = 0},
    clock::now());
  if (!guest)
    return tl::unexpected(guest.error());
  guest_ = *guest;
  guest_->write(pages, clock::now()); // no page is left out of the base
  writer_.add(guest_);
  const auto is_control = step_.arm == chain_arm::tmpfs_control;
  const chain_place place{guest_, directory_,
                          is_control ? control_images_kept : disk_images_kept};
  auto path = is_ours() ? make_our_path(step_.arm, place)
                        : make_seed_path(step_.arm, place);
  if (!path)
    return tl::unexpected(path.error());
  path_ = std::move(*path);
  return path_->begin();
}

void chain_under_way::let_dirty() {
  guest_->write(diff_pages(), clock::now());
  has_written_ = true;
}

/// Our arms copy before the pause: there the guest goes on writing at the
/// rate of the gap, as a real one would, until the pause. The others stop it
/// at once.
void chain_under_way::set_busy(bool busy) {
  const auto gap = static_cast<uint64_t>(std::max<int64_t>(gap_.count(), 1));
  if (is_ours())
    guest_->set_writes_per_second(busy ? diff_pages() * 1000 / gap : 0,
                                  clock::now());
}

/// Stop, read the dirty log, resume.
microseconds chain_under_way::null_pause() {
  const auto start = clock::now();
  guest_->pause(start);
  std::ignore = guest_->written_pages(clock::now());
  guest_->resume(clock::now());
  return duration_cast<microseconds>(clock::now() - start);
}

expected<chain_sample> chain_under_way::branch(uint64_t number) {
  const auto null = null_pause();
  nulls_.push_back(null);
  const auto dirty = meminfo_bytes("Dirty");
  const auto writeback = meminfo_bytes("Writeback");
  set_busy(true);
  auto sample = path_->branch(number);
  set_busy(false);
  if (!sample)
    return sample;
  number_ = number;
  has_written_ = is_ours(); // on and on, until it was told to be quiet
  sample->part = step_.part;
  sample->arm = step_.arm;
  sample->diff_mib = step_.diff_mib;
  sample->round = step_.round;
  sample->branch = number;
  sample->null_pause = null;
  sample->dirty_bytes = dirty;
  sample->writeback_bytes = writeback;
  return sample;
}

chain_end chain_under_way::end(const status& outcome) {
  chain_end result{.part = step_.part,
                   .arm = step_.arm,
                   .diff_mib = step_.diff_mib,
                   .round = step_.round};
  if (quantile(nulls_, 90) > null_pause_max) {
    result.discarded = true;
    result.remark = "discarded: pauses in which nothing was done took long";
  }
  auto checked = outcome;
  // One more of a quiet guest, so that nothing is younger than it.
  if (checked && has_written_)
    if (const auto last = path_->branch(number_ + 1); !last)
      checked = tl::unexpected(last.error());
  if (checked) {
    guest_->pause(clock::now());
    checked = path_->verify();
  }
  result.verified = checked.has_value();
  if (!checked)
    result.remark = to_string(checked.error());
  return result;
}

/// The whole run.
class chain_bench {
public:
  chain_bench(const chain_plan& plan, conditions about,
              const results_folder& folder, const interruption& interrupted)
    : plan_(plan), folder_(folder), interrupted_(interrupted),
      started_(clock::now()) {
    results_.about = std::move(about);
  }

  status run();
  chain_results& results() { return results_; }

private:
  status make_rig();
  status run_chain(const chain_step& step);
  status run_long();
  bool is_over() const {
    return interrupted_.came() || clock::now() - started_ > plan_.limit;
  }
  std::string directory_of(const chain_step& step) const;
  void tell(const chain_step& step) const;
  status keep();

  const chain_plan& plan_;
  const results_folder& folder_;
  const interruption& interrupted_;
  clock::time_point started_;
  std::unique_ptr<rig> rig_ = {};
  chain_results results_ = {};
};

status chain_bench::make_rig() {
  rig_plan wanted{.file_system = plan_.file_system,
                  .bytes_per_second = plan_.bytes_per_second,
                  .dirty_background_bytes =
                    threshold_images * plan_.image_bytes};
  wanted.tolerance = plan_.tolerance;
  wanted.disk_bytes = (disk_images_kept + 4) * plan_.image_bytes + (512 * mib);
  wanted.memory_disk_bytes = (control_images_kept + 3) * plan_.image_bytes;
  auto made = rig::make(wanted);
  if (!made)
    return tl::unexpected(made.error());
  rig_ = std::move(*made);
  const auto& facts = rig_->facts();
  results_.file_system = plan_.file_system;
  results_.image_mib = plan_.image_bytes / mib;
  results_.bytes_per_second = facts.achieved_bytes_per_second;
  results_.background_bytes = wanted.dirty_background_bytes;
  auto& settings = results_.about.settings;
  settings.push_back("device: " + facts.device);
  settings.push_back(fmt::format(
    "bandwidth: {} bytes/s set by {}, {} achieved (dd-like, synced)",
    plan_.bytes_per_second, facts.limit, facts.achieved_bytes_per_second));
  settings.push_back("file system: " + plan_.file_system + ", "
                     + facts.options);
  settings.push_back(fmt::format(
    "vm.dirty_background_bytes: {} (two images), put back after the run",
    wanted.dirty_background_bytes));
  settings.push_back(fmt::format(
    "simulated guest: {} us to stop, {} us for its device state, {} us to "
    "resume in every arm; it writes on at the rate of the gap while ours-* "
    "copy before the "
    "pause, and what it writes then is in their snapshots too",
    stop_cost.count(), device_state_cost.count(), resume_cost.count()));
  settings.push_back(fmt::format(
    "gap: {} ms, long chains {} ms; rounds rotated; the long chains take "
    "turns BRANCH by BRANCH",
    plan_.gap.count(), plan_.long_gap.count()));
  if (!has_reflink(plan_.file_system))
    settings.push_back("ours-reflink: not available on " + plan_.file_system);
  return {};
}

std::string chain_bench::directory_of(const chain_step& step) const {
  const auto& base =
    step.arm == chain_arm::tmpfs_control ? rig_->memory() : rig_->disk();
  return base + "/" + to_string(step.arm);
}

status chain_bench::run_chain(const chain_step& step) {
  if (auto settled = rig_->settle(); !settled)
    return settled;
  chain_under_way chain{step, directory_of(step), plan_.image_bytes, plan_.gap};
  status outcome = chain.begin();
  if (outcome)
    outcome = rig_->settle();
  for (uint64_t i = 1; i <= step.branches && outcome; ++i) {
    chain.let_dirty();
    if (interrupted_.wait(plan_.gap))
      break;
    auto sample = chain.branch(i);
    if (sample)
      results_.samples.push_back(std::move(*sample));
    else
      outcome = tl::unexpected(sample.error());
  }
  results_.ends.push_back(chain.end(outcome));
  tell(step);
  return keep();
}

/// Both chains grow together, so that both meet the same machine.
status chain_bench::run_long() {
  std::vector<chain_step> steps;
  for (const auto arm : {chain_arm::ours_diff, chain_arm::tmpfs_control})
    if (std::find(plan_.arms.begin(), plan_.arms.end(), arm)
        != plan_.arms.end())
      steps.push_back({chain_part::long_chain, arm, plan_.diffs.front(), 0,
                       plan_.long_branches});
  std::vector<std::unique_ptr<chain_under_way>> chains;
  std::vector<status> outcomes(steps.size());
  for (const auto& step : steps) {
    chains.push_back(std::make_unique<chain_under_way>(
      step, directory_of(step), plan_.image_bytes, plan_.long_gap));
    outcomes[chains.size() - 1] = chains.back()->begin();
  }
  if (auto settled = rig_->settle(); !settled)
    return settled;
  for (uint64_t i = 1; i <= plan_.long_branches && !is_over(); ++i)
    for (const auto place : rotated(steps.size(), i)) {
      if (!outcomes[place])
        continue;
      chains[place]->let_dirty();
      if (interrupted_.wait(plan_.long_gap))
        break;
      auto sample = chains[place]->branch(i);
      if (sample)
        results_.samples.push_back(std::move(*sample));
      else
        outcomes[place] = tl::unexpected(sample.error());
    }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    results_.ends.push_back(chains[i]->end(outcomes[i]));
    tell(steps[i]);
  }
  return keep();
}

void chain_bench::tell(const chain_step& step) const {
  const auto samples =
    select(results_, {step.part, step.arm, step.diff_mib, step.round});
  const auto pause = summarize(pauses(samples));
  const auto& end = results_.ends.back();
  const auto ms = [](microseconds x) {
    return static_cast<double>(x.count()) / 1e3;
  };
  fmt::print(
    "{:>5.0f} s  {:<15} {:>3} MiB round {}: {:>3} BRANCHes, pause p50 {:.1f} "
    "p90 {:.1f}, total p50 {:.1f} ms{}{}\n",
    std::chrono::duration<double>(clock::now() - started_).count(),
    to_string(step.arm), step.diff_mib, step.round, pause.count, ms(pause.p50),
    ms(pause.p90), ms(quantile(totals(samples), 50)),
    end.verified ? ", verified" : ", NOT VERIFIED",
    end.remark.empty() ? "" : ": " + end.remark);
  std::fflush(stdout);
}

status chain_bench::keep() {
  results_.about.ended_at = utc_now();
  results_.about.load_after = load_average();
  const schema::json all{{"conditions", schema::to_json(results_.about)},
                         {"targets", json_of(chain_targets(results_))},
                         {"chains", json_of(results_.ends)},
                         {"branches", json_of(results_.samples)}};
  auto kept = folder_.keep("chain.csv", csv_of(json_of(results_.samples)));
  if (kept)
    kept = folder_.keep("chain.json", schema::dump(all, 1) + "\n");
  if (kept)
    kept = folder_.keep("chain.svg", svg_of(chain_plots(results_)));
  if (kept)
    kept = folder_.keep("README.md", chain_report(results_));
  return kept;
}

status chain_bench::run() {
  if (auto made = make_rig(); !made)
    return made;
  for (const auto& step : schedule(plan_)) {
    if (is_over())
      break;
    if (auto done = run_chain(step); !done)
      return done;
  }
  if (plan_.long_branches > 0 && !is_over())
    if (auto done = run_long(); !done)
      return done;
  results_.about.complete = !is_over();
  if (!results_.about.complete)
    results_.about.remarks.push_back(interrupted_.came()
                                       ? "interrupted by a signal"
                                       : "the time of --limit was over");
  return keep();
}

} // namespace

expected<chain_results> run_chains(const chain_plan& plan, conditions about,
                                   const results_folder& folder,
                                   const interruption& interrupted) {
  chain_bench bench{plan, std::move(about), folder, interrupted};
  if (auto done = bench.run(); !done)
    return tl::unexpected(done.error());
  return std::move(bench.results());
}

} // namespace forkfleet::bench
