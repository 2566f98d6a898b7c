// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/wait_goal.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

TEST_CASE("what is waited for is judged by the list", "[actors][shell][wait]") {
  using enum wait_verdict;
  using enum sandbox_state;
  const auto [goal, state, verdict] =
    GENERATE(table<wait_goal, sandbox_state, wait_verdict>({
      {wait_goal::running, starting, not_yet},
      {wait_goal::running, running, reached},
      {wait_goal::running, paused, not_yet},
      {wait_goal::running, stuck, hopeless},
      {wait_goal::running, gone, hopeless},
      {wait_goal::ready, running, reached},
      {wait_goal::ready, stopped, hopeless},
      {wait_goal::stopped, running, not_yet},
      {wait_goal::stopped, stuck, not_yet},
      {wait_goal::stopped, stopped, reached},
      {wait_goal::stopped, gone, reached},
      {wait_goal::gone, gone, not_yet},
      {wait_goal::gone, running, not_yet},
    }));
  const auto info =
    sandbox_info{.id = {"kid"}, .state = state, .note = "as told"};
  const auto judged = judge(goal, {"kid"}, &info);
  CHECK(judged.verdict == verdict);
  if (verdict != reached)
    CHECK(judged.why.find("as told") != std::string::npos);
}

TEST_CASE("what is not listed has ended, or has not begun",
          "[actors][shell][wait]") {
  using enum wait_verdict;
  CHECK(judge(wait_goal::running, {"kid"}, nullptr).verdict == not_yet);
  CHECK(judge(wait_goal::ready, {"kid"}, nullptr).why.find("kid")
        != std::string::npos);
  CHECK(judge(wait_goal::stopped, {"kid"}, nullptr).verdict == reached);
  CHECK(judge(wait_goal::gone, {"kid"}, nullptr).verdict == reached);
}
