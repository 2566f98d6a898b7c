// SPDX-License-Identifier: Apache-2.0
#include "node/node.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

template <class T>
ec code_of(const expected<T>& x) {
  return x ? ec::none : x.error().code;
}

bool is_removed(const coordinator_script& script, const std::string& sandbox) {
  return std::ranges::any_of(script.pages, [&](const inventory_page& page) {
    return std::ranges::count(page.removed_sandboxes, sandbox_id{sandbox}) > 0;
  });
}

/// A SANDBOX whose branch takes long; asked again when it has ended, it
/// answers.
sandbox_actor::behavior_type slow_sandbox(sandbox_actor::pointer self,
                                          std::shared_ptr<bool> has_ended) {
  return {
    [self, has_ended](const branch_order& x) -> caf::result<branch_outcome> {
      if (*has_ended)
        return branch_outcome{.report = {.operation = x.request.operation,
                                         .sandbox = x.request.sandbox,
                                         .tag = x.request.tag}};
      return self->make_response_promise<branch_outcome>();
    },
    [](const stop_request&) { return done{}; },
    [](const release_request&) { return host_answer{}; },
    [](const tick&) {},
  };
}

} // namespace

TEST_CASE_METHOD(node_fixture, "a declared sandbox is started and branched",
                 "[node][node]") {
  start();
  CHECK(info("s1").state == sandbox_state::running);
  const auto report = branch("op-1");
  REQUIRE(report);
  CHECK(report->outcome == failure{});
  CHECK(report->host.value == "h1");
  CHECK(state().snapshots.contains({"op-1"}));
  CHECK(state().slots.taken() == 0);
}

TEST_CASE_METHOD(node_fixture, "one operation pauses its guest at most once",
                 "[node][node][safety]") {
  start();
  const auto first = ask_later<branch_report>(request("op-1"));
  const auto joined = ask_later<branch_report>(request("op-1"));
  w.run();
  const auto repeated = branch("op-1");
  REQUIRE((first->has_value() && joined->has_value() && repeated));
  CHECK(**joined == **first);
  CHECK(*repeated == first->value().value());
  CHECK(place.machine("s1")->pauses() == 1);
}

TEST_CASE_METHOD(node_fixture, "a branch that is late has not ended",
                 "[node][node][safety]") {
  start();
  const auto has_ended = std::make_shared<bool>(false);
  state().sandboxes.at({"s1"}).handle = w.spawn(slow_sandbox, has_ended);
  const auto late = ask_later<branch_report>(request("op-1"));
  w.advance(10min);
  REQUIRE(late->has_value());
  CHECK(code_of(late->value()) == ec::deadline_exceeded);
  CHECK(state().slots.taken() == 1);
  *has_ended = true;
  w.advance(10min);
  CHECK(code_of(branch("op-1")) == ec::none);
  CHECK(state().slots.taken() == 0);
}

TEST_CASE_METHOD(node_fixture, "an operation id stands for one thing only",
                 "[node][node][safety]") {
  start();
  REQUIRE(branch("op-1"));
  REQUIRE(restore("op-2", "op-1", "child"));
  auto other = request("op-1");
  other.tag = {"other"};
  CHECK(code_of(ask<branch_report>(other)) == ec::operation_conflict);
  CHECK(code_of(branch("op-2")) == ec::invalid_request);
  CHECK(code_of(restore("op-1", "op-1", "child-2")) == ec::invalid_request);
  CHECK(code_of(restore("op-2", "op-1", "child-2")) == ec::operation_conflict);
  CHECK_FALSE(place.machine("child-2"));
}

TEST_CASE_METHOD(node_fixture, "a coordinator out of date is not obeyed",
                 "[node][node][safety]") {
  script->epoch = 8;
  start();
  const auto machine = place.machine("s1");
  auto old = request("op-1");
  old.epoch = 7;
  CHECK(code_of(ask<branch_report>(old)) == ec::not_permitted);
  CHECK(code_of(ask<done>(stop_request{{"s1"}, 7})) == ec::not_permitted);
  CHECK(code_of(ask<done>(remove_request{{"t1"}, 7})) == ec::not_permitted);
  CHECK(code_of(ask<restore_report>(restore_request{.epoch = 7}))
        == ec::not_permitted);
  CHECK(machine->pauses() == 0);
}

TEST_CASE_METHOD(node_fixture, "a sandbox that cannot start is told and goes",
                 "[node][node]") {
  settings.declared[0].driver = config::driver_kind::qemu;
  start();
  CHECK(info("s1").state == sandbox_state::gone);
  const auto refused = branch("op-1");
  CHECK(code_of(refused) == ec::vmm_gone);
  CHECK(refused.error().message.find("no driver") != std::string::npos);
  CHECK(stop("s1"));
  CHECK(state().sandboxes.empty());
  CHECK(is_removed(*script, "s1"));
}

TEST_CASE_METHOD(node_fixture, "a child lives until it is stopped",
                 "[node][node]") {
  start();
  REQUIRE(branch("op-1"));
  const auto child = restore("op-2", "op-1", "child");
  REQUIRE(child);
  CHECK(child->sandbox.parent.value == "op-1");
  CHECK(*restore("op-2", "op-1", "child") == *child);
  CHECK(code_of(restore("op-3", "op-1", "child")) == ec::sandbox_exists);
  const auto removal = remove_request{{"op-1"}, script->epoch};
  CHECK(code_of(ask<done>(removal)) == ec::invalid_request);
  CHECK(stop("child"));
  CHECK_FALSE(place.machine("child"));
  CHECK(place.records().size() == 1);
  CHECK(code_of(ask<done>(removal)) == ec::none);
}

TEST_CASE_METHOD(node_fixture, "a restore that failed leaves nothing",
                 "[node][node]") {
  start();
  REQUIRE(branch("op-1"));
  auto hasty = restore_request{.operation = {"op-2"},
                               .tag = {"op-1"},
                               .sandbox = {"child"},
                               .deadline = 1ms,
                               .epoch = script->epoch};
  const auto failed = ask<restore_report>(hasty);
  REQUIRE(failed);
  CHECK(failed->outcome.code == ec::deadline_exceeded);
  CHECK(*ask<restore_report>(hasty) == *failed);
  CHECK_FALSE(state().sandboxes.contains({"child"}));
  CHECK(place.records().size() == 1);
  CHECK(is_removed(*script, "child"));
}

TEST_CASE_METHOD(node_fixture, "what a node knows outlives it",
                 "[node][node][safety]") {
  start();
  const auto first = branch("op-1");
  REQUIRE(first);
  REQUIRE(restore("op-2", "op-1", "child"));
  REQUIRE(branch("op-3", "child"));
  restart();
  CHECK(info("s1").state == sandbox_state::running);
  CHECK(info("s1").branches == 1);
  CHECK(info("child").branches == 1);
  CHECK(info("child").vcpus == place.machine("child")->vcpus());
  CHECK(*branch("op-1") == *first);
  CHECK(place.machine("s1")->pauses() == 1);
  const auto again = restore("op-2", "op-1", "child");
  REQUIRE(again);
  CHECK_FALSE(again->outcome);
  CHECK(again->sandbox == info("child"));
  CHECK(code_of(restore("op-4", "op-1", "child")) == ec::sandbox_exists);
}

TEST_CASE_METHOD(node_fixture, "a VM that is not found is not started twice",
                 "[node][node][safety]") {
  start();
  const auto machine = place.machine("s1");
  *place.is_deaf = true;
  restart();
  CHECK(place.machine("s1") == machine);
  CHECK(info("s1").state == sandbox_state::stuck);
  CHECK(code_of(stop("s1")) == ec::vmm_unreachable);
  CHECK(machine->health() == vmm_health::running);
  CHECK(place.records().size() == 1);
  *place.is_deaf = false;
  CHECK(stop("s1"));
  CHECK(machine->health() == vmm_health::gone);
  CHECK(place.records().empty());
}

TEST_CASE_METHOD(node_fixture, "a guest that may stand still is not hidden",
                 "[node][node][safety]") {
  start();
  REQUIRE(place.journal->open(request("op-1")));
  REQUIRE(place.journal->mark_pause({"op-1"}, true));
  *place.is_deaf = true;
  restart();
  CHECK(branch("op-1")->outcome.code == ec::guest_stuck);
}

TEST_CASE_METHOD(node_fixture, "a VM without its SANDBOX is not hidden",
                 "[node][node][safety]") {
  start();
  w.kill(state().sandboxes.at({"s1"}).handle);
  w.run();
  CHECK(info("s1").state == sandbox_state::stuck);
  CHECK(code_of(branch("op-1")) == ec::vmm_gone);
  CHECK(place.machine("s1")->health() == vmm_health::running);
  CHECK(stop("s1"));
  CHECK_FALSE(place.machine("s1"));
}

TEST_CASE_METHOD(node_fixture, "a draining node answers what it knows",
                 "[node][node][safety]") {
  start();
  const auto first = branch("op-1");
  REQUIRE(first);
  const auto drained = ask_later<done>(drain_request{5s});
  w.run();
  // Not shutting_down: that would say that it never started.
  CHECK(*branch("op-1") == *first);
  CHECK(code_of(branch("op-2")) == ec::shutting_down);
  CHECK(code_of(restore("op-3", "op-1", "child")) == ec::shutting_down);
  w.advance(1s);
  REQUIRE(drained->has_value());
  CHECK(script->goodbyes == 1);
  CHECK(place.machine("s1")->health() == vmm_health::running);
  unit = local_node_actor{};
}

TEST_CASE_METHOD(node_fixture, "a node told so ends its VMs before it leaves",
                 "[node][node]") {
  settings.stop_sandboxes = true;
  start();
  REQUIRE(branch("op-1"));
  REQUIRE(restore("op-2", "op-1", "child"));
  const auto drained = ask_later<done>(drain_request{5s});
  w.advance(1s);
  REQUIRE(drained->has_value());
  CHECK_FALSE(place.machine("s1"));
  CHECK_FALSE(place.machine("child"));
  CHECK(place.records().size() == 1);
  unit = local_node_actor{};
}

TEST_CASE_METHOD(node_fixture, "not everybody may wait for one operation",
                 "[node][node]") {
  start();
  auto all = std::vector<answer<branch_report>>{};
  // Nobody works while its SANDBOX is not given a turn.
  auto& waiting = state().waiting[{"op-1"}];
  REQUIRE(state().operations.claim(request("op-1")) == operation_claim::fresh);
  for (int i = 0; i < 65; ++i)
    all.push_back(ask_later<branch_report>(request("op-1")));
  w.run();
  CHECK(waiting.size() == 64);
  CHECK(std::ranges::count_if(all,
                              [](const auto& x) {
                                return x->has_value()
                                       && (*x)->error().code == ec::node_busy;
                              })
        == 1);
  state().waiting.clear();
}
