// SPDX-License-Identifier: Apache-2.0
#include "node/bench/chain_path.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "node/bench/chain_run.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::bench;
using namespace forkfleet::test;

namespace {

using clock = std::chrono::steady_clock;

constexpr uint64_t memory_bytes = 4u << 20;
constexpr uint64_t pages = memory_bytes / guest_page_bytes - 1;

/// A small guest that writes only when it is told to, and a chain of it.
struct chain_fixture {
  void begin(chain_arm arm) {
    auto booted = simulated_machine::boot(
      memory_bytes, 1, {.working_pages = pages, .writes_per_second = 0},
      clock::now());
    REQUIRE(booted);
    guest = *booted;
    guest->write(pages, clock::now());
    const chain_place place{guest, scratch.path(), 2};
    auto made = arm == chain_arm::ours_full || arm == chain_arm::ours_diff
                  ? make_our_path(arm, place)
                  : make_seed_path(arm, place);
    REQUIRE(made);
    path = std::move(*made);
    REQUIRE(path->begin());
  }

  chain_sample branch(uint64_t number) {
    guest->write(16, clock::now());
    auto sample = path->branch(number);
    REQUIRE(sample);
    return *sample;
  }

  scratch_directory scratch = {};
  simulated_machine_ptr guest = {};
  chain_path_ptr path = {};
};

} // namespace

TEST_CASE_METHOD(chain_fixture,
                 "every chain ends in the memory of the stopped guest",
                 "[node][bench]") {
  using enum chain_arm;
  const auto arm = GENERATE(before, fallocate_kept, seed_as_coded,
                            tmpfs_control, ours_full, ours_diff);
  CAPTURE(to_string(arm));
  begin(arm);
  for (uint64_t i = 1; i <= 4; ++i) {
    const auto sample = branch(i);
    CHECK(sample.pause.count() > 0);
    CHECK(sample.total >= sample.pause);
    CHECK(sample.written_bytes > 0);
  }
  CHECK(guest->pause(clock::now()));
  const auto checked = path->verify();
  INFO((checked ? "" : to_string(checked.error())));
  CHECK(checked);
}

TEST_CASE_METHOD(chain_fixture, "a snapshot that is not the memory is found",
                 "[node][bench][safety]") {
  begin(GENERATE(chain_arm::before, chain_arm::ours_full));
  branch(1);
  guest->write(1, clock::now());
  guest->pause(clock::now());
  const auto checked = path->verify();
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ec::snapshot_corrupt);
}

TEST_CASE("rounds rotate, and large diffs have short chains", "[node][bench]") {
  chain_plan plan{
    .diffs = {1, 300},
    .arms = {chain_arm::before, chain_arm::ours_reflink, chain_arm::ours_diff},
    .branches = 10,
    .large_branches = 5,
    .rounds = 2};
  const auto steps = schedule(plan); // ext4 has no reflink
  REQUIRE(steps.size() == 6);
  CHECK(steps[0].arm == chain_arm::before);
  CHECK(steps[2].arm == chain_arm::ours_diff);
  CHECK(steps[2].round == 1);
  CHECK(steps[3].arm == chain_arm::before);
  CHECK(steps[3].branches == 10);
  CHECK(steps[4].diff_mib == 300);
  CHECK(steps[4].branches == 5);
  plan.file_system = "xfs";
  CHECK(schedule(plan).size() == 9);
}
