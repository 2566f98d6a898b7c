// SPDX-License-Identifier: Apache-2.0
// A disk that is full ends a branch before the pause, with the missing bytes
// named; the guest never stands still.
#include <catch2/catch.hpp>

#include "examples/guest_watch.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

TEST_CASE("a full disk ends a branch before the guest stands still",
          "[end_to_end][vm][safety]") {
  const auto kind = GENERATE(disk_kind::ext4, disk_kind::tmpfs);
  auto disk = scratch_disk::make(kind, 160ull << 20);
  if (!disk)
    return skip(to_string(disk.error()));
  const auto guest =
    guest_sandbox("source", "h1", "256MiB", "ff.rate_mib=50 ff.set_mib=24");
  if (guest.empty())
    return skip("no example guest; run ./dev guest");
  auto fleet =
    fleet_fixture{{.sandboxes = guest, .data_base = (*disk)->path()}};
  fleet.start();
  const auto report = fleet.branch({.sandbox = {"source"}, .tag = {"too-big"}});
  REQUIRE(report);
  CHECK(report->outcome.code == ec::disk_full);
  CHECK(report->reserve == reserve_outcome::no_space);
  CHECK(report->missing_bytes > (80ull << 20));
  CHECK(report->pause == 0us);
  CHECK(report->stages.back().which == stage::reserve);
  CHECK(fleet.names_in("h1", "staging").empty());
  CHECK(fleet.names_in("h1", "snapshots").empty());
  CHECK(fleet.sandbox("source").state == sandbox_state::running);
}
