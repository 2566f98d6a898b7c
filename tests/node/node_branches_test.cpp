// SPDX-License-Identifier: Apache-2.0
// The queue before a node's slots.
#include <catch2/catch.hpp>

#include "tests/node/busy_slot_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct queue_fixture : busy_slot_fixture {
  operation_status status_of(const std::string& operation) {
    return ask<operation_status>(operation_query{{operation}}).value();
  }
};

} // namespace

TEST_CASE_METHOD(queue_fixture, "a branch waits until a slot is free",
                 "[node][node_branches]") {
  take_slot();
  const auto waiting = ask_later<branch_report>(request("op-1"));
  w.run();
  CHECK_FALSE(waiting->has_value());
  CHECK(status_of("op-1").state == operation_state::running);
  CHECK(status_of("op-1").report.stages.back().which == stage::admit);
  CHECK(place.machine("s1")->pauses() == 0);
  w.advance(5s);
  free_slot();
  REQUIRE(code_of(waiting) == ec::none);
  const auto& report = **waiting;
  CHECK_FALSE(report->outcome);
  // The wait counts.
  CHECK(report->stages.front().elapsed >= 5s);
  CHECK(report->total >= 5s);
}

TEST_CASE_METHOD(queue_fixture, "ten branches of one sandbox come in order",
                 "[node][node_branches][safety]") {
  auto all = std::vector<answer<branch_report>>{};
  for (int i = 0; i < 10; ++i) {
    all.push_back(ask_later<branch_report>(request("op-" + std::to_string(i))));
    // Let it arrive, but not end.
    while (!state().orders.contains({"op-" + std::to_string(i)}))
      REQUIRE(w.run_one());
  }
  w.run();
  auto ended = std::vector<std::string>{};
  for (const auto& event : script->events)
    if (event.kind == "branch.ended")
      ended.push_back(event.operation.value);
  REQUIRE(ended.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(ended[i] == "op-" + std::to_string(i));
    REQUIRE(code_of(all[i]) == ec::none);
    CHECK_FALSE((*all[i])->value().outcome);
  }
  CHECK(place.machine("s1")->pauses() == 10);
}

TEST_CASE_METHOD(queue_fixture, "a deadline that passes in the queue ends it",
                 "[node][node_branches][safety]") {
  take_slot();
  auto hasty = request("op-1");
  hasty.deadline = 1s;
  const auto waiting = ask_later<branch_report>(hasty);
  w.advance(2s);
  CHECK(code_of(waiting) == ec::node_busy);
  CHECK(status_of("op-1").state == operation_state::unknown);
  free_slot();
  CHECK(place.machine("s1")->pauses() == 0);
  CHECK(branch("op-1"));
}

TEST_CASE_METHOD(queue_fixture, "a branch whose sandbox is gone is called off",
                 "[node][node_branches]") {
  take_slot();
  const auto first = ask_later<branch_report>(request("op-1"));
  const auto second = ask_later<branch_report>(request("op-2", "s2"));
  w.run();
  REQUIRE(stop("s1"));
  free_slot();
  CHECK(code_of(first) == ec::unknown_sandbox);
  CHECK(code_of(second) == ec::none);
}

TEST_CASE_METHOD(queue_fixture, "a node that goes down sends the queue away",
                 "[node][node_branches]") {
  take_slot();
  const auto waiting = ask_later<branch_report>(request("op-1"));
  w.run();
  const auto drained = ask_later<done>(drain_request{1s});
  w.run();
  CHECK(code_of(waiting) == ec::shutting_down);
  w.advance(5s);
  REQUIRE(drained->has_value());
  unit = local_node_actor{};
}
