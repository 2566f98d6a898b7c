// SPDX-License-Identifier: Apache-2.0
#include "node/bench/pause_report.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;
using namespace std::chrono_literals;

namespace {

void add(pause_results& to, const pause_choice& choice, microseconds pause,
         microseconds total, uint64_t written_bytes) {
  for (uint64_t i = 1; i <= 3; ++i)
    to.samples.push_back({.memory_mib = choice.memory_mib,
                          .rate_mib = choice.rate_mib,
                          .way = choice.way,
                          .number = i,
                          .method = "m",
                          .pause = pause,
                          .total = total,
                          .written_bytes = written_bytes,
                          .check = choice.way == capture_way::floor
                                     ? check_outcome::none
                                     : check_outcome::right});
}

/// A run in which every target is met.
pause_results good_run() {
  using enum capture_way;
  pause_results run{.checks_wanted = 36, .torn_made = 1, .torn_caught = 1};
  for (const uint64_t memory : {256u, 1024u, 2048u}) {
    add(run, {memory, 0, capture_way::floor}, 1ms, 0us, 0);
    add(run, {memory, 0, diff}, 2ms, 10ms, 1 << 20);
    add(run, {memory, 0, full}, 2ms, 300ms, memory << 20);
    add(run, {memory, 0, stopped}, 200ms, 400ms, memory << 20);
  }
  add(run, {512, 100, capture_way::floor}, 1ms, 0us, 0);
  add(run, {512, 100, diff}, 2ms, 15ms, 20 << 20);
  add(run, {512, 100, full}, 2ms, 300ms, 512 << 20);
  add(run, {512, 100, stopped}, 200ms, 400ms, 512 << 20);
  return run;
}

} // namespace

TEST_CASE("a run within every bound misses no target", "[node][bench]") {
  const auto targets = pause_targets(good_run());
  INFO(plain_text(table_of(targets)));
  CHECK(missed(targets) == 0);
  for (const auto& x : targets)
    CHECK(x.outcome == verdict::met);
}

TEST_CASE("each bound of a pause is missed by a run that breaks it",
          "[node][bench][safety]") {
  auto run = good_run();
  const auto spoil = GENERATE(0, 1, 2, 3, 4, 5);
  CAPTURE(spoil);
  for (auto& x : run.samples) {
    if (spoil == 0 && x.memory_mib == 256 && x.way == capture_way::diff)
      x.pause = 2501us;
    if (spoil == 1 && x.memory_mib == 2048 && x.way == capture_way::full)
      x.pause = 5001us;
    if (spoil == 2 && x.memory_mib == 1024 && x.way == capture_way::diff)
      x.total = 21ms;
    if (spoil == 3 && x.memory_mib == 1024 && x.way == capture_way::diff)
      x.written_bytes = 60 << 20;
  }
  if (spoil == 4)
    run.torn_caught = 0;
  if (spoil == 5)
    run.checks_wanted = 37;
  // An idle guest's is one of all.
  CHECK(missed(pause_targets(run)) == (spoil == 2 ? 2 : 1));
}

TEST_CASE("a wrong child is told loudly", "[node][bench][safety]") {
  auto run = good_run();
  run.samples.back().check = check_outcome::wrong;
  run.samples.back().remark = "page 7 is of round 3";
  const auto page = pause_report(run);
  CHECK(page.find("WRONG") != std::string::npos);
  CHECK(page.find("page 7 is of round 3") != std::string::npos);
  CHECK(missed(pause_targets(run)) == 2); // and one right one less
}

TEST_CASE("captures that failed are in no table", "[node][bench]") {
  auto run = good_run();
  run.samples.push_back({.memory_mib = 256,
                         .way = capture_way::diff,
                         .number = 4,
                         .remark = "refused"});
  CHECK(select(run, {256, 0, capture_way::diff}).size() == 3);
  CHECK(pause_plots(run).size() == 2); // one for each rate
}
