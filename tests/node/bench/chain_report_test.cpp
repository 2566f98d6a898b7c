// SPDX-License-Identifier: Apache-2.0
#include "node/bench/chain_report.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;
using namespace std::chrono_literals;

namespace {

/// A chain whose pauses are as given; its other times are all `total`.
void add_chain(chain_results& to, const chain_choice& which,
               const time_series& pauses, microseconds total) {
  uint64_t branch = 0;
  for (const auto pause : pauses)
    to.samples.push_back({.part = which.part,
                          .arm = which.arm,
                          .diff_mib = which.diff_mib,
                          .round = which.round.value_or(0),
                          .branch = ++branch,
                          .pause = pause,
                          .total = total,
                          .durable = total,
                          .stored_bytes = which.diff_mib << 20});
  to.ends.push_back({.part = which.part,
                     .arm = which.arm,
                     .diff_mib = which.diff_mib,
                     .round = which.round.value_or(0),
                     .verified = true});
}

/// A run in which every target is met.
chain_results good_run() {
  using enum chain_arm;
  chain_results run{.file_system = "ext4",
                    .image_mib = 512,
                    .bytes_per_second = 150'000'000,
                    .background_bytes = 1 << 30};
  const auto rounds = chain_part::rounds;
  add_chain(run, {rounds, before, 1, 0}, {9ms, 20ms, 2s, 3s}, 3s);
  add_chain(run, {rounds, seed_as_coded, 1, 0}, {8ms, 8ms}, 3s);
  add_chain(run, {rounds, ours_diff, 1, 0}, {2ms, 2ms}, 4ms);
  add_chain(run, {rounds, tmpfs_control, 1, 0}, {4ms, 4ms}, 200ms);
  add_chain(run, {rounds, ours_diff, 300, 0}, {50ms, 50ms}, 2300ms);
  const auto long_chain = chain_part::long_chain;
  add_chain(run, {long_chain, ours_diff, 1, 0}, {2ms, 2ms, 3ms, 2ms}, 4ms);
  add_chain(run, {long_chain, tmpfs_control, 1, 0}, {4ms, 4ms, 4ms, 4ms}, 1s);
  return run;
}

std::size_t unmeasured(const std::vector<target>& targets) {
  std::size_t count = 0;
  for (const auto& x : targets)
    count += x.outcome == verdict::not_measured ? 1 : 0;
  return count;
}

} // namespace

TEST_CASE("a good run meets every target", "[node][bench]") {
  const auto targets = chain_targets(good_run());
  INFO(plain_text(table_of(targets)));
  CHECK(missed(targets) == 0);
  CHECK(unmeasured(targets) == 0);
}

TEST_CASE("each target is missed by a run that breaks it",
          "[node][bench][safety]") {
  using enum chain_arm;
  auto run = good_run();
  const auto spoil = GENERATE(0, 1, 2, 3, 4, 5, 6);
  CAPTURE(spoil);
  for (auto& x : run.samples) {
    const auto is_long = x.part == chain_part::long_chain;
    if (spoil == 0 && is_long && x.arm == ours_diff)
      x.pause = 5ms; // above the control's
    if (spoil == 1 && is_long && x.arm == ours_diff && x.branch == 1)
      x.pause = 13ms; // p90
    if (spoil == 2 && is_long && x.arm == ours_diff && x.branch > 2)
      x.pause = 3001us; // grows
    if (spoil == 3 && !is_long && x.arm == ours_diff && x.diff_mib == 1)
      x.total = 40ms;
    if (spoil == 4 && !is_long && x.arm == ours_diff && x.diff_mib == 1)
      x.durable = 40ms;
    if (spoil == 5 && x.diff_mib == 300)
      x.durable = 2800ms;
  }
  if (spoil == 6)
    run.ends.back().verified = false;
  CHECK(missed(chain_targets(run)) == 1);
}

TEST_CASE("a seed that clones its copy sets no bound", "[node][bench]") {
  auto run = good_run();
  for (auto& x : run.samples)
    if (x.arm == chain_arm::seed_as_coded)
      x.total = x.durable = 3ms;
  CHECK(missed(chain_targets(run)) == 2);
  run.file_system = "xfs";
  CHECK(missed(chain_targets(run)) == 0);
}

TEST_CASE("what was not run is neither met nor missed", "[node][bench]") {
  const auto targets = chain_targets({});
  CHECK(missed(targets) == 0);
  CHECK(unmeasured(targets) == targets.size());
}

TEST_CASE("a chain that a busy machine spoiled is in no table",
          "[node][bench]") {
  auto run = good_run();
  const chain_choice choice{chain_part::rounds, chain_arm::ours_diff, 1, {}};
  CHECK(select(run, choice).size() == 2);
  CHECK(ratio_to_control(run, choice) == 0.5);
  run.ends[2].discarded = true;
  CHECK(select(run, choice).empty());
  CHECK_FALSE(ratio_to_control(run, choice));
  CHECK(run.samples.size() == 20);
}

TEST_CASE("the page says how to repeat it and shows every chain",
          "[node][bench]") {
  auto run = good_run();
  run.about.command = "forkfleet bench chain";
  run.about.remarks = {"it rained"};
  const auto page = chain_report(run);
  for (const auto* part :
       {"forkfleet bench chain", "it rained", "**interrupted**", "17.6x",
        "8.5x", "## 300 MiB", "long chains", "| ours-diff |", "7 of 7 chains"})
    CHECK(page.find(part) != std::string::npos);
  CHECK(chain_plots(run).size() == 6);
}
