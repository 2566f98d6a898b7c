// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_watch.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

expected<restore_report> report(sandbox_state state) {
  return restore_report{.sandbox = {.id = {"kid"}, .state = state}};
}

} // namespace

TEST_CASE("a child that ended in its first second did not come to be",
          "[actors][shell][restore]") {
  const auto started = report(sandbox_state::running);
  REQUIRE(is_unproved(started));
  const auto seen = GENERATE(sandbox_state::gone, sandbox_state::stopped);
  const auto gone =
    sandbox_info{.id = {"kid"}, .state = seen, .note = "signal 9"};
  const auto told = judged(started, &gone);
  REQUIRE(told);
  CHECK(told->outcome.code == ec::vmm_gone);
  CHECK(told->outcome.message.find("signal 9") != std::string::npos);
  CHECK(judged(started, nullptr)->outcome.code == ec::vmm_gone);
  const auto runs =
    sandbox_info{.id = {"kid"}, .state = sandbox_state::running};
  CHECK_FALSE(judged(started, &runs)->outcome);
}

TEST_CASE("what is known of a child already is not asked for",
          "[actors][shell][restore]") {
  CHECK_FALSE(is_unproved(report(sandbox_state::starting)));
  auto ready = report(sandbox_state::running);
  ready->sandbox.identity.entropy = "perl";
  CHECK_FALSE(is_unproved(ready));
  auto failed = report(sandbox_state::running);
  failed->outcome = {ec::disk_full, "x"};
  CHECK_FALSE(is_unproved(failed));
  CHECK_FALSE(is_unproved(fail(ec::node_down, "x")));
  const auto gone = sandbox_info{.id = {"kid"}, .state = sandbox_state::gone};
  CHECK_FALSE(judged(ready, &gone)->outcome);
}
