// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/faults.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("faults come in the order in which they were added",
          "[node][faults]") {
  auto table = simulated_faults{};
  table.add(stage::pause, {simulated_trouble::refuse, ec::io_failed});
  table.add(stage::pause, {simulated_trouble::stick});
  CHECK(table.next(stage::resume).trouble == simulated_trouble::none);
  CHECK(table.next(stage::pause).code == ec::io_failed);
  CHECK(table.next(stage::pause).trouble == simulated_trouble::stick);
  CHECK(table.next(stage::pause).trouble == simulated_trouble::none);
}

TEST_CASE("chance is asked when nothing was added", "[node][faults]") {
  auto table = simulated_faults{};
  table.set_chance([](stage which) {
    return simulated_fault{which == stage::drain ? simulated_trouble::tear
                                                 : simulated_trouble::none};
  });
  table.add(stage::drain, {simulated_trouble::refuse});
  CHECK(table.next(stage::drain).trouble == simulated_trouble::refuse);
  CHECK(table.next(stage::drain).trouble == simulated_trouble::tear);
}

TEST_CASE("a stage costs what the table says", "[node][faults]") {
  auto table = simulated_faults{};
  CHECK(table.cost(stage::pause) > 0ns);
  CHECK(table.cost(stage::admit) == 0ns);
  table.takes(stage::pause, 7ms);
  CHECK(table.cost(stage::pause) == 7ms);
}

TEST_CASE("a crash cannot be caught as an error", "[node][faults][safety]") {
  auto table = simulated_faults{};
  auto is_told = false;
  table.set_crash([&] { is_told = true; });
  try {
    table.crash();
  } catch (const std::exception&) {
    FAIL("somebody could go on");
  } catch (const simulated_crash&) {
    CHECK(is_told);
  }
}
