// SPDX-License-Identifier: Apache-2.0
#include "node/sandbox.hpp"

#include <functional>

#include <catch2/catch.hpp>

#include "node/snapshot_worker.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// What a HOST WORKER's thread does: takes each job at once, or leaves it in
/// its queue, and may be slow to answer.
struct hand_script {
  bool begins = true;
  bool ends = true;
  std::function<void()> todo = {};
};

using slow_hand_actor =
  host_worker_actor::extend<caf::reacts_to<caf::tick_atom>>;

slow_hand_actor::behavior_type slow_hand(slow_hand_actor::pointer self,
                                         std::shared_ptr<hand_script> script) {
  return {
    [self, script](const host_job& job) -> caf::result<host_answer> {
      if (script->begins && script->ends)
        return job.run();
      auto promise = self->make_response_promise<host_answer>();
      auto first = std::move(script->todo);
      script->todo = [first, promise, job,
                      done = script->begins ? job.run() : host_answer{},
                      begun = script->begins]() mutable {
        if (first)
          first();
        promise.deliver(begun ? done : job.run());
      };
      return promise;
    },
    [script](caf::tick_atom) {
      if (auto todo = std::exchange(script->todo, {}))
        todo();
    },
  };
}

/// A worker that is busy until it is told to end.
struct worker_script {
  std::vector<branch_order> asked = {};
  std::optional<branch_outcome> outcome = {};
  std::vector<caf::typed_response_promise<branch_outcome>> promises = {};
};

snapshot_worker_actor::behavior_type
busy_worker(snapshot_worker_actor::pointer self,
            std::shared_ptr<worker_script> script) {
  return {
    [self, script](const branch_order& x) -> caf::result<branch_outcome> {
      script->asked.push_back(x);
      if (script->outcome)
        return *script->outcome;
      auto promise = self->make_response_promise<branch_outcome>();
      script->promises.push_back(promise);
      return promise;
    },
  };
}

/// A NODE that only listens.
local_node_actor::behavior_type
listening_node(local_node_actor::pointer,
               std::shared_ptr<std::vector<sandbox_info>> heard) {
  return {
    [](const branch_request&) { return branch_report{}; },
    [](const operation_query&) { return operation_status{}; },
    [](const restore_request&) { return restore_report{}; },
    [](const stop_request&) { return done{}; },
    [](const remove_request&) { return done{}; },
    [](const cancel_request&) { return done{}; },
    [](const flatten_request&) { return done{}; },
    [](const verify_request& x) { return verify_report{.tag = x.tag}; },
    [](const export_request& x) { return archive_report{.tag = x.tag}; },
    [](const import_request& x) { return archive_report{.tag = x.tag}; },
    [](const annotate_request&) { return inspect_report{}; },
    [](const inspect_request&) { return inspect_report{}; },
    [](const compare_request&) { return compare_report{}; },
    [](const exec_request&) { return exec_report{}; },
    [](const file_request&) { return file_report{}; },
    [](const console_request&) { return console_report{}; },
    [](const fsck_request&) { return fsck_report{}; },
    [](const doctor_request&) { return doctor_report{}; },
    [](const rollback_request&) { return restore_report{}; },
    [](const promote_request&) { return restore_report{}; },
    [](const tick&) {},
    [](const fleet_event&) {},
    [heard](const sandbox_info& x) { heard->push_back(x); },
    [](const drain_request&) { return done{}; },
  };
}

struct sandbox_fixture {
  node_world w;
  simulated_place place{w};
  std::shared_ptr<hand_script> hand = std::make_shared<hand_script>();
  slow_hand_actor hands = w.spawn(slow_hand, hand);
  std::shared_ptr<std::vector<sandbox_info>> heard =
    std::make_shared<std::vector<sandbox_info>>();
  local_node_actor node = w.spawn(listening_node, heard);
  std::shared_ptr<worker_script> busy = {};
  sandbox_actor unit = spawn_unit();

  sandbox_actor spawn_unit() {
    auto make = [this](const branch_context& x) {
      return busy ? w.spawn(busy_worker, busy) : w.spawn(snapshot_worker, x);
    };
    return w.spawn(
      sandbox,
      sandbox_setup{.info = {.id = {"s1"}, .state = sandbox_state::running},
                    .branching = place.context(place.start_vm("s1")),
                    .make_worker = make,
                    .hands = hands,
                    .node = node});
  }
  answer<branch_outcome> branch(const std::string& operation) {
    auto result =
      w.ask<branch_outcome>(unit, 10h,
                            branch_order{.request = {.operation = {operation},
                                                     .sandbox = {"s1"},
                                                     .tag = {operation},
                                                     .deadline = 1s},
                                         .arrival = w.now()});
    w.run();
    return result;
  }
  answer<done> stop() {
    auto result = w.ask<done>(unit, 10h, stop_request{.sandbox = {"s1"}});
    w.run();
    return result;
  }
  void release_hand() {
    caf::anon_send(hands, caf::tick_atom_v);
    w.run();
  }
  template <class Reply>
  static ec code_of(const answer<Reply>& x) {
    REQUIRE(x->has_value());
    return x->value() ? ec::none : x->value().error().code;
  }

  ~sandbox_fixture() {
    *hand = {};
    if (busy)
      *busy = {};
    w.kill(unit);
    w.kill(node);
    unit = sandbox_actor{};
    node = local_node_actor{};
    w.run();
  }
};

} // namespace

TEST_CASE_METHOD(sandbox_fixture, "one VM has one branch at a time",
                 "[node][sandbox][safety]") {
  busy = std::make_shared<worker_script>();
  const auto first = branch("op-1");
  const auto second = branch("op-2");
  CHECK_FALSE(first->has_value());
  CHECK(code_of(second) == ec::branch_in_progress);
  CHECK(code_of(stop()) == ec::branch_in_progress);
}

TEST_CASE_METHOD(sandbox_fixture, "a branch asked for again is not repeated",
                 "[node][sandbox][safety]") {
  const auto first = branch("op-1");
  const auto again = branch("op-1");
  REQUIRE(code_of(first) == ec::none);
  REQUIRE(code_of(again) == ec::none);
  CHECK(again->value()->report == first->value()->report);
  CHECK(place.machine("s1")->pauses() == 1);
  CHECK(heard->back().branches == 1);
}

TEST_CASE_METHOD(sandbox_fixture, "a worker that is late keeps the VM",
                 "[node][sandbox][safety]") {
  busy = std::make_shared<worker_script>();
  const auto first = branch("op-1");
  w.advance(10min);
  CHECK(code_of(branch("op-2")) == ec::branch_in_progress);
  CHECK(busy->asked.size() > 1);
  const auto again = branch("op-1");
  busy->outcome = {{.report = {.operation = {"op-1"}, .tag = {"op-1"}}}};
  w.advance(10min);
  REQUIRE(code_of(again) == ec::none);
  CHECK(again->value()->report.tag.value == "op-1");
  busy = nullptr;
  CHECK(code_of(branch("op-2")) == ec::none);
}

TEST_CASE_METHOD(sandbox_fixture, "a look that waits delays no branch",
                 "[node][sandbox]") {
  hand->begins = false;
  w.advance(3s);
  CHECK(code_of(branch("op-1")) == ec::none);
  place.machine("s1")->end();
  release_hand();
  // It was called off: nobody has seen that the VM is gone.
  CHECK(heard->back().state == sandbox_state::running);
}

TEST_CASE_METHOD(sandbox_fixture, "a branch waits for the look that has begun",
                 "[node][sandbox][safety]") {
  hand->ends = false;
  w.advance(3s);
  const auto waiting = branch("op-1");
  CHECK_FALSE(waiting->has_value());
  CHECK(place.machine("s1")->pauses() == 0);
  release_hand();
  CHECK(code_of(waiting) == ec::none);
}

TEST_CASE_METHOD(sandbox_fixture, "nothing is done to a VM that is being ended",
                 "[node][sandbox][safety]") {
  hand->ends = false;
  const auto stopping = stop();
  w.advance(10min);
  CHECK_FALSE(stopping->has_value());
  CHECK(code_of(branch("op-1")) == ec::not_ready);
  CHECK(code_of(stop()) == ec::not_ready);
  release_hand();
  CHECK(code_of(stopping) == ec::none);
  CHECK(heard->back().state == sandbox_state::stopped);
}

TEST_CASE_METHOD(sandbox_fixture, "a VM that ended by itself is not branched",
                 "[node][sandbox]") {
  place.machine("s1")->end();
  w.advance(3s);
  REQUIRE_FALSE(heard->empty());
  CHECK(heard->back().state == sandbox_state::gone);
  CHECK(code_of(branch("op-1")) == ec::vmm_gone);
  CHECK(code_of(stop()) == ec::none);
}

TEST_CASE_METHOD(sandbox_fixture, "a guest that stands still is told as stuck",
                 "[node][sandbox][safety]") {
  place.faults().add(stage::resume, {simulated_trouble::stick});
  const auto ended = branch("op-1");
  REQUIRE(code_of(ended) == ec::none);
  CHECK(ended->value()->report.outcome.code == ec::guest_stuck);
  CHECK(heard->back().state == sandbox_state::stuck);
}

TEST_CASE_METHOD(sandbox_fixture,
                 "a guest that a dead worker left stuck is told",
                 "[node][sandbox][safety]") {
  place.faults().add(stage::capture, {simulated_trouble::crash_before});
  place.faults().add(stage::resume, {simulated_trouble::stick});
  const auto ended = branch("op-1");
  REQUIRE(code_of(ended) == ec::none);
  CHECK(ended->value()->report.outcome.code == ec::guest_stuck);
  CHECK(heard->back().state == sandbox_state::stuck);
}

TEST_CASE_METHOD(sandbox_fixture, "a worker that died leaves a guest that runs",
                 "[node][sandbox][safety]") {
  const auto where = GENERATE(stage::track, stage::pause, stage::capture,
                              stage::resume, stage::drain);
  const auto when =
    GENERATE(simulated_trouble::crash_before, simulated_trouble::crash_after);
  CAPTURE(where, when);
  place.faults().add(where, {when});
  const auto ended = branch("op-1");
  REQUIRE(code_of(ended) == ec::none);
  CHECK(ended->value()->report.outcome.code == ec::interrupted);
  CHECK(place.machine("s1")->health() == vmm_health::running);
  CHECK(place.store->recover().empty());
  CHECK(code_of(branch("op-2")) == ec::none);
}
