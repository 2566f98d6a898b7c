// SPDX-License-Identifier: Apache-2.0
#include "node/branch_cleanup.hpp"

#include "tests/support/played_branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct cleanup_fixture : played_branching {
  branch_result result{
    report_of_failed(context, request("op"), {ec::io_failed, "thrown"}), {}};
  failure resume_fails = {};

  void clean_up(guest_after guest = guest_after::may_stand) {
    script.on_resume = [this]() -> status {
      if (resume_fails)
        return tl::unexpected(resume_fails);
      return {};
    };
    clean_up_branch(context, guest, now + 10s, result);
  }
};

} // namespace

TEST_CASE_METHOD(cleanup_fixture, "the guest comes first, and nothing stays",
                 "[node][branch_cleanup][safety]") {
  clean_up();
  CHECK(script.calls == std::vector<std::string>{"resume", "abandon"});
  CHECK(disk->staged.empty());
  CHECK(result.report.outcome == failure{ec::io_failed, "thrown"});
  CHECK(result.snapshot.tag.empty());
}

TEST_CASE_METHOD(cleanup_fixture, "a guest that runs is not told to",
                 "[node][branch_cleanup]") {
  clean_up(guest_after::runs);
  CHECK(script.calls == std::vector<std::string>{"abandon"});
}

TEST_CASE_METHOD(cleanup_fixture,
                 "a branch whose snapshot is sealed has not failed",
                 "[node][branch_cleanup][safety]") {
  REQUIRE_FALSE(branch("op").outcome);
  script.calls.clear();
  clean_up();
  CHECK_FALSE(result.report.outcome);
  CHECK(result.report.root_hash == sealed("op").info.root_hash);
  CHECK(result.snapshot.tag.value == "op");
  CHECK(disk->sealed.contains({"op"}));
}

TEST_CASE_METHOD(cleanup_fixture,
                 "another operation's snapshot of that name is not its own",
                 "[node][branch_cleanup][safety]") {
  auto other = request("other");
  other.tag = {"op"};
  REQUIRE_FALSE(branch(other).outcome);
  clean_up();
  CHECK(result.report.outcome.code == ec::io_failed);
  CHECK(result.snapshot.tag.empty());
}

TEST_CASE_METHOD(cleanup_fixture, "a guest that stays stuck outranks all",
                 "[node][branch_cleanup][safety]") {
  const bool is_sealed = GENERATE(true, false);
  if (is_sealed)
    REQUIRE_FALSE(branch("op").outcome);
  resume_fails = {ec::vmm_refused, "no"};
  clean_up();
  CHECK(result.report.outcome.code == ec::guest_stuck);
  CHECK(result.snapshot.tag.empty() != is_sealed);
}

TEST_CASE_METHOD(cleanup_fixture,
                 "a VM that has ended does not undo its snapshot",
                 "[node][branch_cleanup]") {
  const bool is_sealed = GENERATE(true, false);
  if (is_sealed)
    REQUIRE_FALSE(branch("op").outcome);
  resume_fails = {ec::vmm_gone, "ended"};
  clean_up();
  CHECK(result.report.outcome.code == (is_sealed ? ec::none : ec::vmm_gone));
}
