// SPDX-License-Identifier: Apache-2.0
// How a node ends a branch before its time.
#include <catch2/catch.hpp>

#include "tests/node/busy_slot_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct cancel_fixture : busy_slot_fixture {
  expected<done> cancel(const std::string& operation) {
    return ask<done>(cancel_request{{operation}, script->epoch});
  }
  static ec outcome_of(const answer<branch_report>& x) {
    REQUIRE((x->has_value() && x->value()));
    return x->value()->outcome.code;
  }
  /// Waits behind somebody else's branch.
  answer<branch_report> queue(const std::string& operation) {
    take_slot();
    auto result = ask_later<branch_report>(request(operation));
    w.run();
    REQUIRE(state().slots.is_queued({operation}));
    return result;
  }
};

} // namespace

TEST_CASE_METHOD(cancel_fixture,
                 "a queued branch that is cancelled never starts",
                 "[node][node_cancel][safety]") {
  const auto waiting = queue("op-1");
  CHECK(cancel("op-1")->note == "it never started");
  CHECK(outcome_of(waiting) == ec::cancelled);
  free_slot();
  CHECK(place.machine("s1")->pauses() == 0);
  CHECK(place.store->list().empty());
}

TEST_CASE_METHOD(cancel_fixture, "a cancelled branch stays so, whoever asks",
                 "[node][node_cancel][safety]") {
  queue("op-1");
  REQUIRE(cancel("op-1"));
  CHECK(branch("op-1")->outcome.code == ec::cancelled);
  CHECK(cancel("op-1")->note.starts_with("it had ended before: cancelled"));
  restart();
  CHECK(branch("op-1")->outcome.code == ec::cancelled);
  CHECK(place.machine("s1")->pauses() == 0);
}

TEST_CASE_METHOD(cancel_fixture, "a running branch that is cancelled ends so",
                 "[node][node_cancel][safety]") {
  // The SANDBOX has yet to hear of it.
  const auto running = ask_later<branch_report>(request("op-1"));
  while (!state().orders.contains({"op-1"}))
    REQUIRE(w.run_one());
  CHECK(state().orders.at({"op-1"}).cancel->ask());
  w.run();
  CHECK(outcome_of(running) == ec::cancelled);
  CHECK(place.machine("s1")->pauses() == 0);
  CHECK(place.machine("s1")->health() == vmm_health::running);
  CHECK(place.store->list().empty());
  CHECK(state().slots.taken() == 0);
  CHECK(branch("op-2")->outcome == failure{});
}

TEST_CASE_METHOD(cancel_fixture, "a branch that has ended is not cancelled",
                 "[node][node_cancel]") {
  REQUIRE(branch("op-1"));
  CHECK(cancel("op-1")->note == "too late: its snapshot is sealed");
  CHECK(branch("op-1")->outcome == failure{});
  CHECK(state().snapshots.contains({"op-1"}));
}

TEST_CASE_METHOD(cancel_fixture, "only a branch that is known can be cancelled",
                 "[node][node_cancel]") {
  CHECK(cancel("op-9").error().code == ec::unknown_operation);
  REQUIRE(branch("op-1"));
  REQUIRE(restore("op-2", "op-1", "child"));
  CHECK(cancel("op-2").error().code == ec::unsupported);
  const auto old = cancel_request{{"op-1"}, script->epoch - 1};
  CHECK(ask<done>(old).error().code == ec::not_permitted);
}
