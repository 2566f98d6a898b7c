// SPDX-License-Identifier: Apache-2.0
// Simulated children that are started and stopped a thousand times on a real
// node: what only grows would show.
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "tests/support/fleet_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

/// What a process has at an instant.
struct holdings {
  std::size_t descriptors = 0;
  uint64_t threads = 0;
  uint64_t memory_kib = 0; // its own pages
};

holdings holdings_of(pid_t pid) {
  const auto home = "/proc/" + std::to_string(pid);
  holdings found;
  for ([[maybe_unused]] const auto& x : fs::directory_iterator{home + "/fd"})
    ++found.descriptors;
  std::ifstream status{home + "/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:"))
      found.threads = std::stoull(line.substr(8));
    if (line.starts_with("RssAnon:"))
      found.memory_kib = std::stoull(line.substr(8));
  }
  return found;
}

/// Files and directories of a host's data.
std::size_t entries_of(const std::string& data) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& x : fs::recursive_directory_iterator{data})
    ++count;
  return count;
}

struct cycling_fleet : fleet_fixture {
  cycling_fleet()
    : fleet_fixture{{.sandboxes = simulated_sandbox("source", "h1")}} {
    start();
  }

  void run_cycle(int number) {
    const auto child = ask<restore_report>(
      restore_request{.operation = {"op-" + std::to_string(number)},
                      .tag = {"warm"},
                      .sandbox = {"kid"}},
      20s);
    REQUIRE(child);
    REQUIRE_FALSE(child->outcome);
    REQUIRE(ask<done>(stop_request{.sandbox = {"kid"}}, 20s));
  }
};

constexpr int warm_cycles = 100;
constexpr int full_cycles = 600; // tables of ended things are at their limits
constexpr int all_cycles = 1000;
constexpr uint64_t growth_max_kib = 4096;

} // namespace

TEST_CASE_METHOD(cycling_fleet,
                 "a thousand children started and stopped leave nothing",
                 "[end_to_end][vm][fork][cycles]") {
  const auto report = branch({.sandbox = {"source"}, .tag = {"warm"}});
  REQUIRE(report);
  REQUIRE_FALSE(report->outcome);
  const auto pid = node("h1").pid();
  holdings warm;
  holdings full;
  std::size_t entries = 0;
  uint64_t coordinator = 0;
  for (int i = 1; i <= all_cycles; ++i) {
    CAPTURE(i);
    run_cycle(i);
    if (i == warm_cycles) {
      warm = holdings_of(pid);
      entries = entries_of(data_of("h1"));
    }
    if (i == full_cycles) {
      full = holdings_of(pid);
      coordinator = memory_of_coordinator();
    }
  }
  const auto last = holdings_of(pid);
  CHECK(last.descriptors <= warm.descriptors);
  CHECK(last.threads <= warm.threads);
  CHECK(last.memory_kib <= full.memory_kib + growth_max_kib);
  CHECK(memory_of_coordinator() <= coordinator + (growth_max_kib << 10));
  CHECK(entries_of(data_of("h1")) <= entries);
  CHECK(names_in("h1", "sandboxes") == std::vector<std::string>{"source"});
}
