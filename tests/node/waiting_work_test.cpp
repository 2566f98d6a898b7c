// SPDX-License-Identifier: Apache-2.0
#include "node/waiting_work.hpp"

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE_METHOD(node_fixture, "who waits for a guest has a worker of its own",
                 "[node][waiting_work][safety]") {
  start();
  auto said = std::string{};
  node_work::run_waiting(unit_pointer(),
                         host_job{[] { return host_answer{.text = "it"}; }},
                         [&said](const host_answer& x) { said = x.text; });
  const auto& waiting = state().waiting_hands;
  REQUIRE(waiting.size() == 1);
  for (const auto& hand : state().hands)
    CHECK(hand.address() != waiting.front().address());
  w.run();
  CHECK(said == "it");
  CHECK(state().waiting_hands.empty());
}
