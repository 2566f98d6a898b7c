// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdlib>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "tests/support/child_death.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// Runs `work` in a child process that the fault at `place` kills. Returns
/// the signal that ended it; 0 when it reached the end.
template <class Work>
int killed_at(const std::string& place, Work work) {
  return death_of([&](const teller&) {
           ::setenv(fault_variable, ("kill:" + place).c_str(), 1);
           work();
         })
    .signal;
}

} // namespace

TEST_CASE("a node killed in a branch leaves a whole snapshot or none",
          "[storage][store][safety]") {
  const auto* const place = GENERATE(
    "staging.made", "staging.reserved", "seal.begun", "seal.hashed",
    "seal.memory_synced", "seal.vmstate_synced", "seal.manifest_synced",
    "seal.directory_synced", "seal.renamed", "seal.published");
  const scratch_directory home;
  const auto path = home.path() + "/node";
  CAPTURE(place);
  REQUIRE(killed_at(place, [&] { store_world{path}.branch("op-1", "snap-1"); })
          == SIGKILL);
  store_world world{path};
  CHECK(world->problems().empty());
  world->recover();
  CHECK(world.staged().empty());
  const auto seen = world->list();
  const bool is_late = std::string{place} == "seal.renamed"
                       || std::string{place} == "seal.published";
  REQUIRE(seen.size() == (is_late ? 1 : 0));
  for (const auto& info : seen) {
    CHECK(info.operation == operation_id{"op-1"});
    CHECK(world->verify(info.tag, {}));
  }
  // The next branch is right, also under the same name where it is free.
  CHECK(world.branch("op-2", is_late ? "snap-2" : "snap-1"));
}

TEST_CASE("a node killed in a removal leaves nothing of the snapshot",
          "[storage][store][safety]") {
  const scratch_directory home;
  const auto path = home.path() + "/node";
  REQUIRE(store_world{path}.branch("op-1", "snap-1"));
  REQUIRE(killed_at("remove.renamed",
                    [&] {
                      static_cast<void>(store_world { path }
                                        -> remove({"snap-1"}));
                    })
          == SIGKILL);
  store_world world{path};
  CHECK(world.tags().empty());
  CHECK(world->problems().empty());
  CHECK(world->recover() == std::vector<std::string>{".removed-snap-1"});
  CHECK(world.staged().empty());
}

TEST_CASE("a step of the seal that fails leaves no visible snapshot",
          "[storage][store][safety]") {
  const auto* const place =
    GENERATE("staging.made", "staging.reserved", "seal.begun", "seal.hashed",
             "seal.memory_synced", "seal.vmstate_synced",
             "seal.manifest_synced", "seal.directory_synced", "seal.renamed");
  const scratch_directory home;
  store_world world{home.path() + "/node"};
  ::setenv(fault_variable, (std::string{"fail:"} + place).c_str(), 1);
  const auto info = world.branch("op-1", "snap-1");
  ::unsetenv(fault_variable);
  REQUIRE_FALSE(info);
  CHECK(info.error().code == ec::io_failed);
  CHECK(info.error().message.find(place) != std::string::npos);
  world->discard({"op-1"});
  CHECK(world.tags().empty());
  CHECK(world.staged().empty());
  CHECK(world.branch("op-2", "snap-1"));
}
