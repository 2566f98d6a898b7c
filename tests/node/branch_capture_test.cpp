// SPDX-License-Identifier: Apache-2.0
#include "node/branch_capture.hpp"

#include "tests/support/played_branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct capture_fixture : played_branching {
  /// With a snapshot that a diff can be relative to.
  capture_fixture() {
    REQUIRE_FALSE(branch("base").outcome);
    cancel = context.cancel = std::make_shared<branch_cancel>();
    script.calls.clear();
    script.plans.clear();
  }
  std::size_t count(const std::string& name) const {
    return static_cast<std::size_t>(std::ranges::count(script.calls, name));
  }
  branch_report branch_within(milliseconds max_pause,
                              branch_mode mode = branch_mode::diff) {
    auto asked = request("op", mode);
    asked.max_pause = max_pause;
    return branch(asked);
  }
  void forecast(std::initializer_list<microseconds> pauses,
                bool can_refine = true) {
    script.forecasts.clear();
    for (const auto pause : pauses)
      script.forecasts.push_back({.pause = pause,
                                  .dirty_bytes_per_second = 100ull << 20,
                                  .can_refine = can_refine});
  }
};

} // namespace

TEST_CASE_METHOD(capture_fixture, "a diff is relative to the snapshot before",
                 "[node][branch_capture]") {
  const auto report = branch("op");
  CHECK_FALSE(report.outcome);
  CHECK(report.mode == branch_mode::diff);
  CHECK(report.base.value == "base");
  CHECK(report.reason.empty());
  CHECK(sealed("op").files.base_hash == sealed("base").info.root_hash);
  CHECK(sealed("op").info.depth == 1);
  REQUIRE(script.plans.size() == 1);
  CHECK(script.plans[0].scope == capture_scope::changed);
  CHECK(script.plans[0].base.root_hash == sealed("base").info.root_hash);
  CHECK(script.plans[0].base.image);
  CHECK(script.committed.back() == report.root_hash);
}

TEST_CASE_METHOD(capture_fixture, "full clones a flat base where it can",
                 "[node][branch_capture]") {
  disk->can_clone = true;
  const auto report = branch("op", branch_mode::full);
  CHECK_FALSE(report.outcome);
  CHECK(report.mode == branch_mode::full);
  CHECK(sealed("op").files.form == memory_form::clone);
  CHECK(sealed("op").info.depth == 0);
  CHECK(script.plans[0].scope == capture_scope::changed);
}

TEST_CASE_METHOD(capture_fixture,
                 "auto passes over what the VM cannot after "
                 "all, and says so",
                 "[node][branch_capture]") {
  script.cannot_estimate = {branch_mode::diff};
  const auto report = branch("op");
  CHECK_FALSE(report.outcome);
  CHECK(report.mode == branch_mode::full);
  CHECK(report.base.empty());
  CHECK(report.reason == "not diff: not by this VM");
  script.cannot_estimate = {branch_mode::diff};
  CHECK(branch("op-2", branch_mode::diff).outcome.code == ec::unsupported);
}

TEST_CASE_METHOD(capture_fixture, "a base that vanishes costs auto its diff",
                 "[node][branch_capture]") {
  access.trouble = [this](std::string_view place) {
    if (place == "journal.open")
      disk->sealed.erase({"base"});
    return disk_trouble::none;
  };
  context.journal = open_journal(disk, access);
  const auto report = branch("op");
  CHECK_FALSE(report.outcome);
  CHECK(report.mode == branch_mode::full);
  CHECK(report.reason == "not diff: base");
}

TEST_CASE_METHOD(capture_fixture, "a pause beyond its budget is never begun",
                 "[node][branch_capture][safety]") {
  forecast({30ms});
  const auto report = branch_within(20ms);
  CHECK(report.outcome.code == ec::pause_too_long);
  CHECK_FALSE(was_called("pause"));
  CHECK(was_called("abandon"));
  CHECK(disk->staged.empty());
  CHECK(report.predicted_pause == 30ms);
  CHECK(report.max_pause == 20ms);
  CHECK(report.delayed == 2s);
  CHECK(report.dirty_bytes_per_second == 100ull << 20);
}

TEST_CASE_METHOD(capture_fixture, "the VM hears that its forecast refused one",
                 "[node][branch_capture]") {
  forecast({30ms}, false);
  CHECK(branch_within(20ms).outcome.code == ec::pause_too_long);
  CHECK(count("refused") == 1);
  script.forecasts.front().is_due = true;
  auto again = request("op-2", branch_mode::diff);
  again.max_pause = 20ms;
  const auto report = branch(again);
  CHECK_FALSE(report.outcome);
  REQUIRE(report.warnings.size() == 1);
  CHECK(report.warnings[0].find("measure it anew") != std::string::npos);
}

TEST_CASE_METHOD(capture_fixture,
                 "a pause is only what the guest stood, whatever failed",
                 "[node][branch_capture][safety]") {
  const auto* fails = GENERATE("nothing", "capture", "drain");
  script.on_call = [this, fails](const std::string& name) {
    now += 100ms;
    if (name == fails)
      cancel->ask();
  };
  script.stood = 30ms;
  CHECK(branch("op").pause == 30ms);
  script.stood.reset();
  cancel = context.cancel = std::make_shared<branch_cancel>();
  CHECK(branch("op-2").pause == 300ms);
}

TEST_CASE_METHOD(capture_fixture,
                 "a full disk is told with what is missing, whichever write "
                 "met it",
                 "[node][branch_capture][safety]") {
  const auto* where = GENERATE("journal.open", "drain");
  CAPTURE(where);
  access.trouble = [where](std::string_view place) {
    return place == where ? disk_trouble::fill : disk_trouble::none;
  };
  context.journal = open_journal(disk, access);
  script.drain_fails = std::string_view{where} == "drain"
                         ? failure{ec::disk_full, "no space"}
                         : failure{};
  const auto report = branch("op");
  CHECK(report.outcome.code == ec::disk_full);
  CHECK(report.missing_bytes > 0);
}

TEST_CASE_METHOD(capture_fixture, "it is refined until it is short enough",
                 "[node][branch_capture]") {
  forecast({90ms, 50ms, 19ms, 18ms});
  const auto report = branch_within(20ms);
  CHECK_FALSE(report.outcome);
  // The last one follows the journal's mark.
  CHECK(count("refine") == 3);
  CHECK(report.predicted_pause == 18ms);
}

TEST_CASE_METHOD(capture_fixture,
                 "what the mark costs is seen before the "
                 "pause",
                 "[node][branch_capture][safety]") {
  forecast({10ms, 70ms, 15ms});
  CHECK_FALSE(branch_within(20ms).outcome);
  CHECK(count("refine") == 2);
  CHECK(disk->pauses_begun.at({"op"}) == 1);
}

TEST_CASE_METHOD(capture_fixture,
                 "a guest too busy to track is write-protected",
                 "[node][branch_capture]") {
  forecast({30ms});
  const bool asks_for_diff = GENERATE(true, false);
  const auto report = branch_within(
    20ms, asks_for_diff ? branch_mode::diff : branch_mode::automatic);
  if (asks_for_diff) {
    CHECK(report.outcome.code == ec::pause_too_long);
    return;
  }
  // The played VM's forecast for it is as long.
  CHECK(report.outcome.code == ec::pause_too_long);
  CHECK(report.mode == branch_mode::live);
  CHECK(script.plans.size() == 2);
  CHECK(script.plans[1].mode == branch_mode::live);
  CHECK(script.plans[1].scope == capture_scope::all);
  CHECK(report.reason.find("not diff: the pause would be 30.0 ms")
        != std::string::npos);
}

TEST_CASE_METHOD(capture_fixture, "a chain that is too long is flattened first",
                 "[node][branch_capture][safety]") {
  context.policy.chain_depth = 2;
  for (int i = 1; i <= 4; ++i)
    REQUIRE_FALSE(branch("op-" + std::to_string(i)).outcome);
  CHECK(sealed("op-4").info.depth == 4);
  const auto before = disk->sealed.size();
  const auto report = branch("op-5", branch_mode::diff);
  CHECK_FALSE(report.outcome);
  CHECK(disk->sealed.size() == before + 1);
  CHECK(sealed("op-4").files.form == memory_form::flat);
  CHECK(sealed("op-5").info.depth == 1);
}

TEST_CASE_METHOD(capture_fixture,
                 "a deadline that ends while a chain is flattened says so",
                 "[node][branch_capture]") {
  context.policy.chain_depth = 2;
  for (int i = 1; i <= 4; ++i)
    REQUIRE_FALSE(branch("op-" + std::to_string(i)).outcome);
  access.trouble = [this](std::string_view place) {
    if (place == "flatten")
      now += 1h;
    return disk_trouble::none;
  };
  context.store = open_store(disk, access);
  const auto report = branch("op-5", branch_mode::diff);
  CHECK(report.outcome.code == ec::deadline_exceeded);
  CHECK(report.outcome.message.find("the chain of op-4, which has 4 diffs, was "
                                    "flattened")
        != std::string::npos);
  CHECK(report.outcome.message.find("ask again later") != std::string::npos);
}

TEST_CASE_METHOD(capture_fixture,
                 "a branch can be cancelled until it is sealed",
                 "[node][branch_capture][safety]") {
  const auto* where =
    GENERATE("prepare", "refine", "pause", "capture", "resume", "drain");
  CAPTURE(where);
  forecast({10ms});
  script.on_call = [&](const std::string& name) {
    if (name == where)
      CHECK(cancel->ask());
  };
  const auto report = branch("op");
  CHECK(report.outcome.code == ec::cancelled);
  const bool was_paused = was_called("pause");
  CHECK(was_called("resume") == was_paused);
  CHECK(was_called("capture") == was_paused);
  CHECK(script.committed.size() == 1); // the base
  CHECK(script.calls.back() == "abandon");
  CHECK_FALSE(disk->sealed.contains({"op"}));
  CHECK(disk->staged.empty());
  CHECK(disk->journal.at({"op"}).ended);
  cancel = context.cancel = std::make_shared<branch_cancel>();
  script.on_call = [](const auto&) {};
  CHECK(branch("op-2").base.value == "base");
}

TEST_CASE_METHOD(capture_fixture, "what was cancelled before it began is known",
                 "[node][branch_capture]") {
  cancel->ask();
  CHECK(branch("op").outcome.code == ec::cancelled);
  CHECK(script.calls.empty());
  CHECK(disk->journal.at({"op"}).report.outcome.code == ec::cancelled);
}

TEST_CASE_METHOD(capture_fixture, "a snapshot that is sealed is not cancelled",
                 "[node][branch_capture][safety]") {
  CHECK_FALSE(branch("op").outcome);
  CHECK_FALSE(cancel->ask());
}

TEST_CASE_METHOD(capture_fixture, "auto does not wait for a long chain",
                 "[node][branch_capture]") {
  context.policy.chain_depth = 2;
  for (int i = 1; i <= 4; ++i)
    REQUIRE_FALSE(branch("op-" + std::to_string(i)).outcome);
  const auto report = branch("op-5");
  CHECK(report.mode == branch_mode::full);
  CHECK(report.reason.find("waits to be flattened") != std::string::npos);
  CHECK(sealed("op-4").files.form == memory_form::diff);
}

TEST_CASE_METHOD(capture_fixture, "a branch that failed is no base",
                 "[node][branch_capture][safety]") {
  access.trouble = [](std::string_view place) {
    return place == "seal" ? disk_trouble::fail : disk_trouble::none;
  };
  context.store = open_store(disk, access);
  CHECK(branch("op-1").outcome.code == ec::io_failed);
  CHECK(script.committed.size() == 1); // the base
  access.trouble = [](std::string_view) { return disk_trouble::none; };
  context.store = open_store(disk, access);
  CHECK(branch("op-2").base.value == "base");
}
