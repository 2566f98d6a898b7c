// SPDX-License-Identifier: Apache-2.0
#include "node/pause_budget.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

capture_forecast forecast_of(microseconds pause, bool can_refine = true) {
  return {.pause = pause,
          .dirty_bytes_per_second = 200ull << 20,
          .can_refine = can_refine};
}

/// Asks until the advice is neither a pass nor a wait; the delays pass.
budget_step last_step(pause_budget& budget, const capture_forecast& forecast,
                      int& asked, microseconds& delayed) {
  for (asked = 1; asked < 1000; ++asked) {
    const auto advice = budget.weigh(forecast, 0, delayed);
    if (advice.step != budget_step::refine && advice.step != budget_step::wait)
      return advice.step;
    delayed += advice.delay;
  }
  return budget_step::wait;
}

} // namespace

TEST_CASE("without a budget any pause is allowed", "[node][pause_budget]") {
  auto budget = pause_budget{{}};
  CHECK(budget.weigh(forecast_of(10s), 0, 0us).step == budget_step::go);
  CHECK(budget.predicted() == 10s);
}

TEST_CASE("a pause that would be cut off at its longest is never begun",
          "[node][pause_budget][safety]") {
  auto budget = pause_budget{{.longest = 5s}};
  CHECK(budget.weigh(forecast_of(4s, false), 0, 0us).step == budget_step::go);
  CHECK(budget.weigh(forecast_of(6s, false), 0, 0us).step
        == budget_step::refuse);
  // But nothing is known of it where that is an assumption.
  auto assumed = forecast_of(6s, false);
  assumed.is_assumed = true;
  CHECK(budget.weigh(assumed, 0, 0us).step == budget_step::go);
}

TEST_CASE("what is due to be measured anew is taken, and said to be",
          "[node][pause_budget]") {
  auto budget = pause_budget{{.pause = 20ms}};
  auto due = forecast_of(90ms, false);
  due.is_due = true;
  CHECK(budget.weigh(due, 0, 0us).step == budget_step::go);
  CHECK(budget.warning().find("over its budget of 20.0 ms")
        != std::string::npos);
}

TEST_CASE("an assumption is said to be one, refused or not",
          "[node][pause_budget]") {
  auto budget = pause_budget{{.pause = 20ms}};
  auto assumed = forecast_of(90ms, false);
  assumed.is_assumed = true;
  assumed.basis = "an assumption";
  CHECK(budget.weigh(assumed, 0, 0us).step == budget_step::refuse);
  const auto why = budget.refusal().message;
  CHECK(why.find("this rests on an assumption") != std::string::npos);
  CHECK(why.find("without --max-pause measures it") != std::string::npos);
  assumed.pause = 15ms;
  CHECK(budget.weigh(assumed, 0, 0us).step == budget_step::go);
  CHECK(budget.warning() == "the predicted pause rests on an assumption");
}

TEST_CASE("a guest that outran the passes is told of", "[node][pause_budget]") {
  auto budget = pause_budget{{}};
  auto outrun = forecast_of(900ms, false);
  outrun.converges = false;
  outrun.residual_bytes = 400ull << 20;
  CHECK(budget.weigh(outrun, 0, 0us).step == budget_step::go);
  CHECK(budget.warning()
        == "the guest changes 200 MiB/s, about as fast as its memory is "
           "copied: 400 MiB were left to copy while it stood");
}

TEST_CASE("a pause within its budget is taken", "[node][pause_budget]") {
  auto budget = pause_budget{{.pause = 20ms}};
  CHECK(budget.weigh(forecast_of(20ms), 0, 0us).step == budget_step::go);
}

TEST_CASE("a pause beyond its budget is never taken",
          "[node][pause_budget][safety]") {
  const bool can_refine = GENERATE(true, false);
  const bool has_alternative = GENERATE(true, false);
  auto budget =
    pause_budget{{.pause = 20ms, .has_alternative = has_alternative}};
  auto asked = 0;
  auto delayed = 0us;
  CHECK(last_step(budget, forecast_of(21ms, can_refine), asked, delayed)
        == (has_alternative ? budget_step::change : budget_step::refuse));
}

TEST_CASE("a pause is put off for so long and so often, not longer",
          "[node][pause_budget][safety]") {
  auto asked = 0;
  auto delayed = 0us;
  auto by_time = pause_budget{{.pause = 20ms, .delay = 1s}};
  CHECK(last_step(by_time, forecast_of(21ms), asked, delayed)
        == budget_step::refuse);
  CHECK(delayed == 1s);
  auto by_number = pause_budget{{.pause = 20ms, .delay = 1h, .tries = 5}};
  delayed = 0us;
  CHECK(last_step(by_number, forecast_of(21ms), asked, delayed)
        == budget_step::refuse);
  CHECK(asked == 6);
}

TEST_CASE("a pass comes before a wait", "[node][pause_budget]") {
  auto budget = pause_budget{{.pause = 20ms}};
  CHECK(budget.weigh(forecast_of(90ms), 0, 0us).step == budget_step::refine);
  CHECK(budget.weigh(forecast_of(50ms), 0, 0us).step == budget_step::refine);
  CHECK(budget.weigh(forecast_of(40ms), 0, 0us).step == budget_step::wait);
  CHECK(budget.weigh(forecast_of(15ms), 0, 10ms).step == budget_step::go);
}

TEST_CASE("unwritten data counts only where the pause meets the disk",
          "[node][pause_budget]") {
  const auto unwritten = 75ull * 1000 * 1000;
  auto apart = pause_budget{{.pause = 20ms}};
  CHECK(apart.weigh(forecast_of(2ms), unwritten, 0us).step == budget_step::go);
  auto meets = pause_budget{{.pause = 20ms, .touches_storage = true}};
  CHECK(meets.weigh(forecast_of(2ms), unwritten, 0us).step
        == budget_step::wait);
  CHECK(meets.predicted() == 1002ms);
  CHECK(meets.weigh(forecast_of(2ms), 0, 500ms).step == budget_step::go);
}

TEST_CASE("what is queued at a device is bounded", "[node][pause_budget]") {
  CHECK(storage_wait(0) == 0us);
  CHECK(storage_wait(1ull << 40) == storage_wait(80ull << 20));
  CHECK(storage_wait(1ull << 40) < 1200ms);
}

TEST_CASE("a refusal names prediction, budget and the guest's pace",
          "[node][pause_budget]") {
  auto budget = pause_budget{{.pause = 20ms}};
  budget.weigh(forecast_of(45340us, false), 0, 0us);
  CHECK(budget.refusal()
        == failure{ec::pause_too_long,
                   "the pause would be 45.3 ms, 20.0 ms are allowed; the "
                   "guest changes 200 MiB/s"});
}
