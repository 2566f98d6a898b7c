// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fork_children.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

using answer = expected<restore_report>;

/// A fleet in which each child has answers of its own, and starts.
struct scripted_fleet {
  std::mutex mutex = {};
  std::map<std::string, std::vector<failure>> failures = {};
  std::map<std::string, int> asked = {};
  std::vector<std::size_t> endings = {};
  std::atomic<int> connections = 0;
  std::atomic<int> at_once = 0;
  int most_at_once = 0;
  milliseconds passed{0};

  answer ask(const restore_request& x) {
    const int now = ++at_once;
    std::this_thread::sleep_for(2ms);
    const std::lock_guard lock{mutex};
    most_at_once = std::max(most_at_once, now);
    --at_once;
    const auto turn = static_cast<std::size_t>(asked[x.operation.value]++);
    const auto& own = failures[x.operation.value];
    if (turn < own.size() && own[turn])
      return tl::unexpected{own[turn]};
    return restore_report{.operation = x.operation, .tag = x.tag};
  }

  std::vector<answer> fork(std::size_t count, std::size_t in_flight) {
    std::vector<restore_request> requests;
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back(
        {.operation = {"op-" + std::to_string(i)}, .tag = {"warm"}});
    const fork_calls calls{
      .connect =
        [this] {
          ++connections;
          return
            [this](const restore_request& x, milliseconds) { return ask(x); };
        },
      .now =
        [this] {
          const std::lock_guard lock{mutex};
          return fork_calls::time_point{} + passed;
        },
      .wait =
        [this](milliseconds x) {
          const std::lock_guard lock{mutex};
          passed += x;
        },
      .ended = [this](std::size_t number,
                      const answer&) { endings.push_back(number); }};
    return fork_children(requests, {.in_flight = in_flight, .each = 3s}, calls);
  }
};

} // namespace

TEST_CASE("each child of a batch has a result in its place",
          "[actors][shell][fork]") {
  const std::size_t in_flight = GENERATE(1, 3, 32);
  scripted_fleet fleet;
  const auto results = fleet.fork(20, in_flight);
  REQUIRE(results.size() == 20);
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE(results[i]);
    CHECK(results[i]->operation.value == "op-" + std::to_string(i));
  }
  CHECK(fleet.endings.size() == 20);
  CHECK(fleet.most_at_once <= static_cast<int>(in_flight));
  CHECK(fleet.connections
        <= static_cast<int>(std::min<std::size_t>(in_flight, 20)));
}

TEST_CASE("one child that fails costs no other", "[actors][shell][fork]") {
  scripted_fleet fleet;
  fleet.failures["op-3"] = {{ec::sandbox_exists, "taken"}};
  const auto results = fleet.fork(8, 2);
  for (std::size_t i = 0; i < results.size(); ++i)
    CHECK(results[i].has_value() == (i != 3));
  CHECK(results[3].error().code == ec::sandbox_exists);
  CHECK(fleet.asked["op-3"] == 1); // it is not tried again
}

TEST_CASE("a lost answer is asked for again by the same operation",
          "[actors][shell][fork][safety]") {
  scripted_fleet fleet;
  fleet.failures["op-1"] = {{ec::node_down, "gone"}, {ec::node_down, "gone"}};
  const auto results = fleet.fork(3, 2);
  CHECK(results[1]);
  CHECK(fleet.asked["op-1"] == 3);
}

TEST_CASE("a node that is not back yet is asked again",
          "[actors][shell][fork][safety]") {
  scripted_fleet fleet;
  fleet.failures["op-0"] = {{ec::node_down, "gone"}, {ec::not_ready, "joins"}};
  fleet.failures["op-1"] = {{ec::not_ready, "no node yet"}};
  const auto results = fleet.fork(2, 1);
  CHECK(results[0]);
  CHECK(fleet.asked["op-0"] == 3);
  // Nothing was lost here: the fleet says no.
  CHECK_FALSE(results[1]);
  CHECK(fleet.asked["op-1"] == 1);
}

TEST_CASE("a child that nobody answers for ends with its time",
          "[actors][shell][fork][safety]") {
  scripted_fleet fleet;
  fleet.failures["op-0"] =
    std::vector<failure>(100, {ec::deadline_exceeded, "silent"});
  const auto results = fleet.fork(1, 1);
  REQUIRE_FALSE(results[0]);
  CHECK(results[0].error().code == ec::deadline_exceeded);
  CHECK(fleet.asked["op-0"] < 20);
}

TEST_CASE("a batch of nothing asks nobody", "[actors][shell][fork]") {
  scripted_fleet fleet;
  CHECK(fleet.fork(0, 4).empty());
  CHECK(fleet.connections == 0);
}
