// SPDX-License-Identifier: Apache-2.0
#include "node/branch_plan.hpp"

#include "tests/support/played_branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct plan_fixture : played_branching {
  expected<branch_plan> plan(branch_mode mode = branch_mode::automatic) {
    return plan_branch(context, request("op", mode), now + 10s);
  }
};

} // namespace

TEST_CASE_METHOD(plan_fixture, "what is tracked has the base it counts from",
                 "[node][branch_plan]") {
  REQUIRE_FALSE(branch("op-1").outcome);
  REQUIRE_FALSE(branch("op-2").outcome);
  CHECK(plan()->base.tag.value == "op-2");
  script.tracked_since = sealed("op-1").info.root_hash;
  CHECK(plan()->base.tag.value == "op-1");
}

TEST_CASE_METHOD(plan_fixture, "what is tracked has no other base",
                 "[node][branch_plan][safety]") {
  REQUIRE_FALSE(branch("op-1").outcome);
  script.tracked_since = GENERATE("", "a root that is not there");
  const auto found = plan();
  REQUIRE(found);
  CHECK(found->base.tag.empty());
  CHECK(found->ways.front().mode == branch_mode::full);
  CHECK(found->ways.front().reason.starts_with("not diff: "));
  CHECK(plan(branch_mode::diff).error().code == ec::unsupported);
}

TEST_CASE_METHOD(plan_fixture, "what is compared takes the newest of its own",
                 "[node][branch_plan]") {
  script.vm.diff_is_tracked = false;
  CHECK(plan()->ways.front().reason
        == "not diff: there is no snapshot of it to compare with");
  REQUIRE_FALSE(branch("op-1").outcome);
  REQUIRE_FALSE(branch("op-2").outcome);
  script.tracked_since = {};
  const auto found = plan();
  REQUIRE(found);
  CHECK(found->base.tag.value == "op-2");
  CHECK(found->ways.front().mode == branch_mode::diff);
}
