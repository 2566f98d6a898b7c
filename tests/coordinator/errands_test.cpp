// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(joined_fixture, "stops and removals end with their node",
                 "[coordinator][errands]") {
  const auto stopped = ask<done>(stop_request{.sandbox = {"s1"}});
  const auto removed = ask<done>(remove_request{.tag = {"old"}});
  REQUIRE(scripts["h1"]->stops.size() == 1);
  CHECK(scripts["h1"]->stops[0].request.epoch == 3);
  deliver("h1", scripts["h1"]->removes.at(0).promise, done{});
  CHECK(code_of(removed) == ec::none);
  CHECK(code_of(ask<done>(remove_request{.tag = {"old"}}))
        == ec::unknown_snapshot);
  w.kill(nodes["h1"]);
  w.run();
  CHECK(code_of(stopped) == ec::node_down);
}
