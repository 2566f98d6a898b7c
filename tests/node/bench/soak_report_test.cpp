// SPDX-License-Identifier: Apache-2.0
#include "node/bench/soak_report.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::bench;

namespace {

pause_sample sample(check_outcome outcome) {
  return {.way = capture_way::diff, .method = "tracked", .check = outcome};
}

/// A run in which every target is met.
soak_results good_run() {
  return {
    .cases = {{"ours, direct disk",
               {sample(check_outcome::right), sample(check_outcome::right)}},
              {"ours, cached disk", {sample(check_outcome::right)}}},
    .controls = {{"half", "sweep: expected page 1"}},
    .checks_wanted = 3};
}

} // namespace

TEST_CASE("a soak without a wrong child meets its targets",
          "[node][bench][soak]") {
  CHECK(missed(soak_targets(good_run())) == 0);
  CHECK(soak_report(good_run()).find("sweep: expected page 1")
        != std::string::npos);
}

TEST_CASE("a wrong child, or a control that is not caught, is a miss",
          "[node][bench][soak][safety]") {
  auto run = good_run();
  std::string shown;
  SECTION("a wrong child") {
    run.cases[1].samples.push_back(sample(check_outcome::wrong));
    run.cases[1].samples.back().remark = "churned page 4";
    shown = "churned page 4";
  }
  SECTION("a control") {
    run.controls.push_back({"direct", ""});
    shown = "NOT FOUND OUT";
  }
  SECTION("too few") {
    run.checks_wanted = 4;
    shown = "MISSED";
  }
  SECTION("no control at all") {
    run.controls.clear();
    shown = "MISSED";
  }
  CHECK(missed(soak_targets(run)) == 1);
  CHECK(soak_report(run).find(shown) != std::string::npos);
}
