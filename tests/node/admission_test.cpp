// SPDX-License-Identifier: Apache-2.0
#include "node/admission.hpp"

#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

branch_request request_of(int number) {
  const auto text = std::to_string(number);
  return {.operation = {"op-" + text},
          .sandbox = {"box-" + text},
          .tag = {"tag-" + text}};
}

} // namespace

TEST_CASE("a host takes as many branches as it has slots",
          "[node][admission]") {
  auto slots = admission{2};
  CHECK(slots.admit(request_of(1)));
  CHECK(slots.admit(request_of(2)));
  const auto third = slots.admit(request_of(3));
  REQUIRE_FALSE(third);
  CHECK(third.error().code == ec::node_busy);
  slots.release({"op-1"});
  CHECK(slots.admit(request_of(3)));
}

TEST_CASE("one source is branched once at a time", "[node][admission]") {
  auto slots = admission{4};
  REQUIRE(slots.admit(request_of(1)));
  auto again = request_of(2);
  again.sandbox = {"box-1"};
  const auto refused = slots.admit(again);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::branch_in_progress);
  CHECK(refused.error().message == "box-1 is being branched by op-1");
}

TEST_CASE("two branches never make one tag", "[node][admission][safety]") {
  auto slots = admission{4};
  REQUIRE(slots.admit(request_of(1)));
  auto same_tag = request_of(2);
  same_tag.tag = {"tag-1"};
  const auto refused = slots.admit(same_tag);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::snapshot_exists);
}

TEST_CASE("whatever comes, slots, sources and tags are never taken twice",
          "[node][admission][property]") {
  const auto seed = GENERATE(range(1u, 50u));
  CAPTURE(seed);
  auto dice = std::mt19937{seed};
  auto slots = admission{3};
  auto held = std::map<operation_id, branch_request>{};
  for (int step = 0; step < 200; ++step) {
    auto request = request_of(static_cast<int>(dice() % 5));
    request.operation = {"op-" + std::to_string(step)};
    request.tag = {"tag-" + std::to_string(dice() % 4)};
    if (dice() % 3 == 0 && !held.empty()) {
      slots.release(held.begin()->first);
      held.erase(held.begin());
    } else if (slots.admit(request)) {
      held.emplace(request.operation, request);
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
  }
}
