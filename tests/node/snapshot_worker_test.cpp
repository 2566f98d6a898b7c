// SPDX-License-Identifier: Apache-2.0
#include "node/snapshot_worker.hpp"

#include <stdexcept>

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct worker_fixture {
  node_world w;
  simulated_place place{w};
  vmm_ptr vm = place.start_vm("s1");
  snapshot_worker_actor worker = w.spawn(snapshot_worker, place.context(vm));

  expected<branch_outcome> branch() {
    const auto order = branch_order{
      .request = {.operation = {"op-1"}, .sandbox = {"s1"}, .tag = {"t1"}},
      .arrival = w.now()};
    const auto got = w.ask<branch_outcome>(worker, 1h, order);
    w.run();
    REQUIRE(got->has_value());
    return got->value();
  }
  bool is_running() {
    return place.machine("s1")->health() == vmm_health::running;
  }

  ~worker_fixture() { worker = snapshot_worker_actor{}; }
};

} // namespace

TEST_CASE_METHOD(worker_fixture, "a worker asked again takes no second branch",
                 "[node][snapshot_worker][safety]") {
  const auto first = branch();
  const auto again = branch();
  REQUIRE(first);
  REQUIRE(again);
  CHECK(first->report.outcome == failure{});
  CHECK(again->report == first->report);
  CHECK(again->snapshot == first->snapshot);
  CHECK(place.machine("s1")->pauses() == 1);
}

TEST_CASE_METHOD(worker_fixture, "after an exception the guest runs on",
                 "[node][snapshot_worker][safety]") {
  const auto where =
    GENERATE(stage::track, stage::pause, stage::capture, stage::drain);
  CAPTURE(where);
  place.faults().set_chance([where](stage x) -> simulated_fault {
    if (x == where)
      throw std::runtime_error{"a library failed"};
    return {};
  });
  const auto ended = branch();
  REQUIRE(ended);
  CHECK(ended->report.outcome == failure{ec::io_failed, "a library failed"});
  CHECK(is_running());
  CHECK(place.store->recover().empty());
  CHECK(place.store->list().empty());
  auto problems = std::vector<std::string>{};
  const auto entries = place.journal->load(problems);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].ended);
}

TEST_CASE_METHOD(worker_fixture,
                 "an exception after the seal does not undo the snapshot",
                 "[node][snapshot_worker][safety]") {
  auto context = place.context(vm);
  context.tell = [](const fleet_event& x) {
    if (x.kind == "stage.ended" && x.stage == "seal")
      throw std::runtime_error{"a library failed"};
  };
  worker = w.spawn(snapshot_worker, context);
  const auto ended = branch();
  REQUIRE(ended);
  CHECK(ended->report.outcome == failure{});
  CHECK(ended->snapshot.tag.value == "t1");
  CHECK(ended->report.root_hash == ended->snapshot.root_hash);
  CHECK(place.store->list().size() == 1);
  auto problems = std::vector<std::string>{};
  const auto entries = place.journal->load(problems);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].report.outcome == failure{});
  CHECK(is_running());
}

TEST_CASE_METHOD(worker_fixture, "a guest that an exception left is not hidden",
                 "[node][snapshot_worker][safety]") {
  place.faults().set_chance([](stage x) -> simulated_fault {
    if (x == stage::capture)
      throw std::runtime_error{"a library failed"};
    if (x == stage::resume)
      return {simulated_trouble::stick};
    return {};
  });
  const auto ended = branch();
  REQUIRE(ended);
  CHECK(ended->report.outcome.code == ec::guest_stuck);
}

TEST_CASE_METHOD(worker_fixture, "a worker ends when it is told to",
                 "[node][snapshot_worker]") {
  REQUIRE(branch());
  caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
  w.run();
  CHECK(branch().error().code == ec::node_down);
}
