// SPDX-License-Identifier: Apache-2.0
#include "node/bench/fork_batch.hpp"

#include <atomic>
#include <set>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/bench/host_census.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::bench;
using namespace forkfleet::test;

TEST_CASE("each piece of a batch is done once", "[node][bench]") {
  const auto threads = GENERATE(0u, 1u, 3u, 50u);
  std::vector<std::atomic<int>> done(20);
  in_parallel(
    done.size(), threads, [&](uint64_t i) { ++done[i]; }, [] { return false; });
  for (const auto& x : done)
    CHECK(x == 1);
}

TEST_CASE("a batch that is called off begins no more", "[node][bench]") {
  std::atomic<uint64_t> done{0};
  in_parallel(
    100, 1, [&](uint64_t) { ++done; }, [&] { return done == 7; });
  CHECK(done == 7);
}

TEST_CASE("simulated children of one branch point are alive and differ",
          "[node][bench]") {
  const scratch_directory scratch;
  const auto place = branch_place::open(scratch.path() + "/node");
  REQUIRE(place);
  const auto samples =
    fork_simulated({.children = 12, .in_flight = 3, .memory_mib = 16}, **place,
                   [] { return false; });
  REQUIRE(samples);
  REQUIRE(samples->size() == 12);
  std::set<std::string> identities;
  for (const auto& x : *samples) {
    INFO(x.remark);
    CHECK(x.counts_on);
    CHECK(x.first_counter > x.branch_counter);
    CHECK(x.ready >= x.started);
    identities.insert(x.identity);
  }
  CHECK(identities.size() == 12);
}

TEST_CASE("a census counts what lies in a directory", "[node][bench]") {
  const scratch_directory scratch;
  const auto before = take_census(scratch.path(), 3);
  CHECK(before.cycles == 3);
  CHECK(before.entries == 0);
  CHECK(before.descriptors > 0);
  REQUIRE(make_directory(scratch.path() + "/one"));
  REQUIRE(make_directory(scratch.path() + "/one/two"));
  CHECK(take_census(scratch.path(), 3).entries == 2);
}
