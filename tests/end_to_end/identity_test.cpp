// SPDX-License-Identifier: Apache-2.0
// Children of a real guest with an agent: each has an identity of its own
// before it counts as ready, or there is no child.
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "examples/guest_watch.hpp"
#include "node/agent/guest_clock.hpp"
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
  explicit identity_fleet(const std::string& others)
    : fleet_fixture{{.sandboxes = agent_sandbox("source", "h1") + others}} {}

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

/// Beside the source, a guest whose agent never answers.
struct mixed_fleet : identity_fleet {
  mixed_fleet() : identity_fleet{agent_sandbox("mute", "h1", false)} {}
};

/// As many loops as there are processors.
class busy_machine {
public:
  busy_machine() {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
      loops_.emplace_back([this] {
        while (!is_over_)
          continue;
      });
  }
  ~busy_machine() {
    is_over_ = true;
    for (auto& loop : loops_)
      loop.join();
  }

private:
  std::atomic<bool> is_over_{false};
  std::vector<std::thread> loops_ = {};
};

microseconds wall_time();

/// What the guest says its clock is lies between two of ours, or nearly.
void check_clock(const std::string& socket) {
  auto agent = guest_agent::connect(socket, steady_clock::now() + 30s);
  REQUIRE(agent);
  const auto clock = read_clock(*agent, wall_time, steady_clock::now() + 30s);
  REQUIRE(clock);
  CAPTURE(clock->difference().count(), clock->doubt.count());
  CHECK(std::chrono::abs(clock->difference()) - clock->doubt < 100ms);
}

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
    CHECK(std::chrono::abs(taken.guest_clock - taken.acknowledged_at) < 100ms);
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

TEST_CASE_METHOD(identity_fleet, "a child that is ready knows what time it is",
                 "[end_to_end][vm][identity][safety]") {
  if (!can_run())
    return;
  take_warm(6000);
  const auto load = busy_machine{};
  for (const std::string name : {"early", "late"}) {
    const auto report = restore(name);
    REQUIRE(report);
    CAPTURE(report->outcome.message);
    REQUIRE_FALSE(report->outcome);
    check_clock(report->sandbox.agent);
  }
  const auto back =
    ask<restore_report>(rollback_request{.operation = {"op-back"},
                                         .sandbox = {"source"},
                                         .tag = {"warm"},
                                         .force = true,
                                         .deadline = 60s},
                        70s);
  REQUIRE(back);
  CAPTURE(back->outcome.message);
  REQUIRE_FALSE(back->outcome);
  check_clock(back->sandbox.agent);
}

TEST_CASE_METHOD(mixed_fleet, "guests that never answer delay no other one",
                 "[end_to_end][vm][identity][safety]") {
  if (!can_run())
    return;
  take_warm(6000);
  const auto mute =
    ask<branch_report>(branch_request{.operation = {"op-mute"},
                                      .sandbox = {"mute"},
                                      .tag = {"mute"},
                                      .mode = branch_mode::full},
                       60s);
  REQUIRE(mute);
  REQUIRE_FALSE(mute->outcome);
  // So many as there are workers that start VMs.
  for (const std::string name : {"m1", "m2", "m3", "m4"})
    REQUIRE(ask<restore_report>(restore_request{.operation = {"op-" + name},
                                                .tag = {"mute"},
                                                .sandbox = {name},
                                                .deadline = 300s,
                                                .wait = restore_wait::started},
                                60s));
  const auto report = restore("healthy");
  REQUIRE(report);
  CAPTURE(report->outcome.message);
  CHECK_FALSE(report->outcome);
  CHECK(ask<done>(stop_request{.sandbox = {"healthy"}}, 30s));
  // They wait all the time.
  CHECK(sandbox("m1").state == sandbox_state::starting);
  CHECK(sandbox("m4").state == sandbox_state::starting);
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
