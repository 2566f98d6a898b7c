// SPDX-License-Identifier: Apache-2.0
// Children of a real guest with an agent: each has an identity of its own
// before it counts as ready, or there is no child.
#include <chrono>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "examples/guest_watch.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::steady_clock;

struct identity_fleet : fleet_fixture {
  explicit identity_fleet(bool has_agent = true)
    : fleet_fixture{{.sandboxes = agent_sandbox("source", "h1", has_agent)}} {}

  static bool can_run() {
    const bool is_there = !agent_sandbox("source", "h1").empty();
    if (!is_there)
      skip("no example guest with an agent; run ./dev guest");
    return is_there;
  }

  uint64_t counter_of(const std::string& console) {
    auto watch = guest::guest_watch::open(console, steady_clock::now() + 20s);
    REQUIRE(watch);
    const auto tick =
      (*watch)->wait_for_tick(steady_clock::now(), steady_clock::now() + 60s);
    REQUIRE(tick);
    CHECK((*watch)->state().errors == 0);
    return tick->counter;
  }

  /// A snapshot `warm`, taken when the guest has counted so far.
  uint64_t take_warm(uint64_t count = 2000) {
    start();
    const auto console = sandbox("source").debug_console;
    REQUIRE(eventually([&] { return counter_of(console) > count; }, 60s));
    const auto before = counter_of(console);
    const auto report =
      ask<branch_report>(branch_request{.operation = {"op-warm"},
                                        .sandbox = {"source"},
                                        .tag = {"warm"},
                                        .mode = branch_mode::full},
                         60s);
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
    return before;
  }

  expected<restore_report> restore(const std::string& name,
                                   restore_wait wait = restore_wait::ready,
                                   milliseconds deadline = 60s,
                                   const child_input& input = {}) {
    return ask<restore_report>(restore_request{.operation = {"op-" + name},
                                               .tag = {"warm"},
                                               .sandbox = {name},
                                               .deadline = deadline,
                                               .wait = wait,
                                               .input = input},
                               deadline + 10s);
  }
};

struct silent_fleet : identity_fleet {
  silent_fleet() : identity_fleet{false} {}
};

microseconds wall_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

} // namespace

TEST_CASE_METHOD(identity_fleet, "no two children have the same identity",
                 "[end_to_end][vm][identity][safety]") {
  if (!can_run())
    return;
  // Its agent must answer before the snapshot: a child's kernel goes on with
  // what its source's had.
  const auto before = take_warm(6000);
  auto ids = std::set<std::string>{};
  auto samples = std::set<std::string>{};
  for (const std::string name : {"kid_a", "kid_b", "kid_c"}) {
    const auto report =
      restore(name, restore_wait::automatic, 60s,
              {.environment = {"TASK=it's " + name},
               .files = {{"/root/task", to_base64("task of " + name)}}});
    REQUIRE(report);
    CAPTURE(report->outcome.message);
    REQUIRE_FALSE(report->outcome);
    const auto& taken = report->sandbox.identity;
    CHECK(taken.hostname == "kid-" + name.substr(4));
    CHECK(taken.entropy == "/usr/lib/forkfleet/reseed");
    CHECK(taken.files == 1);
    CHECK(ids.insert(taken.machine_id).second);
    CHECK(samples.insert(taken.sample).second);
    CHECK(taken.sample.size() == 32);
    // Its source's clock stood still since the branch; its own does not.
    CHECK(std::chrono::abs(taken.guest_clock - wall_time()) < 30s);
    CHECK(report->started.count() > 0);
    CHECK(report->started <= report->total);
    CHECK(counter_of(report->sandbox.debug_console) >= before);
    CHECK(sandbox(name).identity == taken);
  }
  kill_node("h1");
  start_node("h1");
  REQUIRE(eventually([this] { return is_ready(); }));
  CHECK(sandbox("kid_a").identity.machine_id.size() == 32);
}

TEST_CASE_METHOD(silent_fleet, "a guest that takes no identity is no child",
                 "[end_to_end][vm][identity][safety]") {
  if (!can_run())
    return;
  take_warm();
  const auto report = restore("mute", restore_wait::ready, 3s);
  REQUIRE(report);
  CHECK(report->outcome.code == ec::deadline_exceeded);
  CHECK(report->outcome.message.find("qemu-guest-agent") != std::string::npos);
  CHECK(names_in("h1", "sandboxes") == std::vector<std::string>{"source"});
  // Who asks for a running VM has one, until its time is over.
  const auto early = restore("early", restore_wait::started, 3s);
  REQUIRE(early);
  CHECK_FALSE(early->outcome);
  CHECK(early->sandbox.state == sandbox_state::starting);
  CHECK(eventually([&] {
    return names_in("h1", "sandboxes") == std::vector<std::string>{"source"};
  }));
}

TEST_CASE_METHOD(silent_fleet,
                 "a node killed before a guest has its identity leaves nothing",
                 "[end_to_end][vm][identity][safety]") {
  if (!can_run())
    return;
  take_warm();
  const auto early = restore("nameless", restore_wait::started, 60s);
  REQUIRE(early);
  REQUIRE_FALSE(early->outcome);
  kill_node("h1");
  start_node("h1");
  REQUIRE(eventually([this] { return is_ready(); }));
  CHECK(names_in("h1", "sandboxes") == std::vector<std::string>{"source"});
}
