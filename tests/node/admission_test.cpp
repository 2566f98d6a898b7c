// SPDX-License-Identifier: Apache-2.0
#include "node/admission.hpp"

#include <deque>
#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

branch_request request_of(int number, const std::string& source = {}) {
  const auto text = std::to_string(number);
  return {.operation = {"op-" + text},
          .sandbox = {source.empty() ? "box-" + text : source},
          .tag = {"tag-" + text}};
}

std::vector<operation_id> ids(std::initializer_list<int> numbers) {
  auto result = std::vector<operation_id>{};
  for (const auto number : numbers)
    result.push_back({"op-" + std::to_string(number)});
  return result;
}

} // namespace

TEST_CASE("a host takes as many branches as it has slots",
          "[node][admission]") {
  auto slots = admission{2, 64};
  CHECK(slots.admit(request_of(1)) == admitted::running);
  CHECK(slots.admit(request_of(2)) == admitted::running);
  CHECK(slots.admit(request_of(3)) == admitted::queued);
  CHECK(slots.take_turns().empty());
  slots.release({"op-1"});
  CHECK(slots.take_turns() == ids({3}));
  CHECK(slots.taken() == 2);
}

TEST_CASE("branches of one source are served one at a time, in order",
          "[node][admission][safety]") {
  auto slots = admission{4, 64};
  REQUIRE(slots.admit(request_of(1, "box")) == admitted::running);
  for (int i = 2; i <= 10; ++i)
    CHECK(slots.admit(request_of(i, "box")) == admitted::queued);
  for (int i = 1; i < 10; ++i) {
    CHECK(slots.take_turns().empty());
    slots.release({"op-" + std::to_string(i)});
    CHECK(slots.take_turns() == ids({i + 1}));
  }
}

TEST_CASE("a source that waits holds up no other", "[node][admission]") {
  auto slots = admission{2, 64};
  REQUIRE(slots.admit(request_of(1, "box")));
  REQUIRE(slots.admit(request_of(2, "box")));
  CHECK(slots.admit(request_of(3)) == admitted::running);
  CHECK(slots.admit(request_of(4)) == admitted::queued);
  slots.release({"op-3"});
  CHECK(slots.take_turns() == ids({4}));
  slots.release({"op-1"});
  CHECK(slots.take_turns() == ids({2}));
}

TEST_CASE("who comes later does not pass a branch of its source that waits",
          "[node][admission][safety]") {
  auto slots = admission{1, 64};
  REQUIRE(slots.admit(request_of(1)));
  REQUIRE(slots.admit(request_of(2, "box")));
  slots.release({"op-1"});
  // Its slot is free, but nobody has taken turns yet.
  CHECK(slots.admit(request_of(3, "box")) == admitted::queued);
  CHECK(slots.take_turns() == ids({2}));
}

TEST_CASE("the queue has an end", "[node][admission]") {
  auto slots = admission{1, 64};
  REQUIRE(slots.admit(request_of(0)));
  for (int i = 1; i <= 64; ++i)
    REQUIRE(slots.admit(request_of(i)) == admitted::queued);
  const auto refused = slots.admit(request_of(65));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::node_busy);
}

TEST_CASE("two branches never make one tag", "[node][admission][safety]") {
  auto slots = admission{1, 64};
  REQUIRE(slots.admit(request_of(1)));
  REQUIRE(slots.admit(request_of(2)));
  const auto* taken = GENERATE("tag-1", "tag-2");
  auto same_tag = request_of(3);
  same_tag.tag = {taken};
  const auto refused = slots.admit(same_tag);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::snapshot_exists);
}

TEST_CASE("who gives up waiting is not called", "[node][admission]") {
  auto slots = admission{1, 64};
  REQUIRE(slots.admit(request_of(1)));
  REQUIRE(slots.admit(request_of(2)));
  CHECK(slots.is_queued({"op-2"}));
  slots.release({"op-2"});
  CHECK_FALSE(slots.is_queued({"op-2"}));
  slots.release({"op-1"});
  CHECK(slots.take_turns().empty());
}

TEST_CASE("whatever comes, nothing is taken twice and all have their turn",
          "[node][admission][property]") {
  const auto seed = GENERATE(range(1u, 50u));
  CAPTURE(seed);
  auto dice = std::mt19937{seed};
  auto slots = admission{3, 64};
  auto held = std::map<operation_id, branch_request>{};
  auto waiting = std::map<sandbox_id, std::deque<branch_request>>{};
  for (int step = 0; step < 300; ++step) {
    auto request = request_of(step, "box-" + std::to_string(dice() % 5));
    request.tag = {"tag-" + std::to_string(dice() % 20)};
    if (dice() % 2 == 0 && !held.empty()) {
      slots.release(held.begin()->first);
      held.erase(held.begin());
    } else if (const auto got = slots.admit(request)) {
      if (*got == admitted::running)
        held.emplace(request.operation, request);
      else
        waiting[request.sandbox].push_back(request);
    }
    for (const auto& turn : slots.take_turns()) {
      const auto box = std::ranges::find_if(waiting, [&](const auto& x) {
        return !x.second.empty() && x.second.front().operation == turn;
      });
      REQUIRE(box != waiting.end()); // the first of its source
      held.emplace(turn, box->second.front());
      box->second.pop_front();
    }
    auto sources = std::set<sandbox_id>{};
    auto tags = std::set<snapshot_tag>{};
    for (const auto& [operation, taken] : held) {
      sources.insert(taken.sandbox);
      tags.insert(taken.tag);
    }
    REQUIRE(held.size() <= 3);
    REQUIRE(sources.size() == held.size());
    REQUIRE(tags.size() == held.size());
    REQUIRE(slots.taken() == held.size());
    for (const auto& [box, queue] : waiting)
      REQUIRE((queue.empty() || held.size() == 3 || sources.contains(box)));
  }
}
