// SPDX-License-Identifier: Apache-2.0
#include "node/branch_record.hpp"

#include "tests/support/played_branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(played_branching,
                 "the first error stays, but for a guest "
                 "that stands still",
                 "[node][branch_record][safety]") {
  const auto asked = request("op");
  auto record = branch_record{context, asked};
  record.note({ec::io_failed, "first"});
  record.note({ec::vmm_refused, "second"});
  CHECK(record.report().outcome == failure{ec::io_failed, "first"});
  record.note({ec::guest_stuck, "third"});
  CHECK(record.report().outcome.code == ec::guest_stuck);
}

TEST_CASE_METHOD(played_branching, "a reason is given once",
                 "[node][branch_record]") {
  const auto asked = request("op");
  auto record = branch_record{context, asked};
  record.explain("not diff: no base");
  record.explain({});
  record.explain("not diff: no base");
  record.explain("slow");
  CHECK(record.report().reason == "not diff: no base; slow");
}

TEST_CASE_METHOD(played_branching,
                 "a branch that was cancelled begins no stage",
                 "[node][branch_record][safety]") {
  const auto asked = request("op");
  auto record = branch_record{context, asked};
  cancel->ask();
  auto has_run = false;
  CHECK_FALSE(record.calm(stage::reserve, now, [&]() -> status {
    has_run = true;
    return {};
  }));
  CHECK_FALSE(has_run);
  CHECK(record.report().outcome.code == ec::cancelled);
  CHECK(record.report().stages.size() == 1);
}

TEST_CASE_METHOD(played_branching,
                 "the request's pause counts before the "
                 "fleet's",
                 "[node][branch_record]") {
  context.policy.max_pause = 50ms;
  auto asked = request("op");
  CHECK(branch_record{context, asked}.report().max_pause == 50ms);
  asked.max_pause = 20ms;
  CHECK(branch_record{context, asked}.report().max_pause == 20ms);
}
