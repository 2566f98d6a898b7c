// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/restart_policy.hpp"

#include <catch2/catch.hpp>

using forkfleet::shell::restart_policy;
using namespace std::chrono_literals;

namespace {

const restart_policy::time_point start{};
const forkfleet::shell::restart_limits limits{
  .restarts_max = 3, .period = 60s, .delay_step = 100ms};

} // namespace

TEST_CASE("the first restart comes at once, each further one later",
          "[actors][shell][restart_policy]") {
  restart_policy policy{limits};
  CHECK(policy.on_death(start) == 0ms);
  CHECK(policy.on_death(start + 1s) == 100ms);
  CHECK(policy.on_death(start + 2s) == 200ms);
}

TEST_CASE("more deaths than the limit within a period end it",
          "[actors][shell][restart_policy][safety]") {
  restart_policy policy{limits};
  for (int i = 0; i < 3; ++i)
    REQUIRE(policy.on_death(start + i * 1s));
  CHECK_FALSE(policy.on_death(start + 59s));
}

TEST_CASE("deaths that are a period ago are forgotten",
          "[actors][shell][restart_policy]") {
  restart_policy policy{limits};
  for (int i = 0; i < 3; ++i)
    REQUIRE(policy.on_death(start + i * 1s));
  CHECK(policy.on_death(start + 60s) == 200ms);
  CHECK_FALSE(policy.on_death(start + 60s));
  CHECK(policy.on_death(start + 200s) == 0ms);
}
