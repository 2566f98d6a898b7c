// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_report.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;
using namespace std::chrono_literals;

namespace {

/// A run in which every target is met.
fork_results good_run() {
  fork_results run{.memory_mib = 256,
                   .simulated_wanted = 3,
                   .vms_wanted = 2,
                   .cycles_wanted = 100};
  for (const auto* driver : {"simulated", "qemu"})
    for (uint64_t i = 1; i <= (driver[0] == 's' ? 3u : 2u); ++i)
      run.samples.push_back({.driver = driver,
                             .number = i,
                             .started = 100ms * i,
                             .ready = 200ms * i,
                             .branch_counter = 5,
                             .first_counter = 6,
                             .counts_on = true,
                             .identity = driver + std::to_string(i),
                             .entropy = "e" + std::to_string(i),
                             .pss_bytes = 30u << 20,
                             .own_bytes = 20u << 20});
  for (const uint64_t cycles : {0u, 10u, 100u})
    run.readings.push_back({.cycles = cycles,
                            .processes = 1,
                            .descriptors = 9,
                            .entries = 0,
                            .namespaces = 2,
                            .memory_bytes = 5u << 20});
  return run;
}

} // namespace

TEST_CASE("children that are as wanted miss no target", "[node][bench]") {
  const auto targets = fork_targets(good_run());
  INFO(plain_text(table_of(targets)));
  CHECK(missed(targets) == 0);
  for (const auto& x : targets)
    CHECK(x.outcome == verdict::met);
}

TEST_CASE("each thing that is wrong with children misses a target",
          "[node][bench][safety]") {
  auto run = good_run();
  const auto spoil = GENERATE(range(0, 10));
  CAPTURE(spoil);
  auto& last = run.readings.back();
  switch (spoil) {
    case 0:
      run.samples.front().counts_on = false;
      break;
    case 1:
      run.samples.back().identity = run.samples[3].identity;
      break;
    case 2:
      run.samples.pop_back();
      break;
    case 3:
      ++last.processes;
      break;
    case 4:
      ++last.descriptors;
      break;
    case 5:
      ++last.entries;
      break;
    case 6:
      ++last.namespaces;
      break;
    case 8:
      run.samples.back().entropy = run.samples[3].entropy;
      break;
    case 7:
      last.memory_bytes += 5u << 20;
      break;
    default:
      run.cycles_failed = 1;
  }
  INFO(plain_text(table_of(fork_targets(run))));
  CHECK(missed(fork_targets(run)) >= 1);
}

TEST_CASE("a part that was left out has no target", "[node][bench]") {
  auto run = good_run();
  run.cycles_wanted = 0;
  run.vms_wanted = 0;
  CHECK(fork_targets(run).size() == 2);
}

TEST_CASE("the page of children tells times, memory and what went wrong",
          "[node][bench]") {
  auto run = good_run();
  run.samples.back().remark = "it found errors";
  const auto text = fork_report(run);
  CAPTURE(text);
  CHECK(text.find("| simulated | 3 | 3 | 3 | 200 ms / 300 ms / 300 ms")
        != std::string::npos);
  CHECK(text.find("30 MiB / 30 MiB") != std::string::npos);
  CHECK(text.find("qemu 2: it found errors") != std::string::npos);
  CHECK(text.find("| 100 | 1 | 9 | 0 | 2 |") != std::string::npos);
  CHECK(fork_plots(run).size() == 2);
}
