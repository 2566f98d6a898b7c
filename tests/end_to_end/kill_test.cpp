// SPDX-License-Identifier: Apache-2.0
// Real QEMU guests and real deaths: whatever is killed in whatever stage of
// a branch, the guest counts on, nothing half-made is visible, and the
// operation has one ending.
#include <algorithm>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <tuple>

#include <catch2/catch.hpp>

#include "tests/support/guest_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// Stages at whose beginning a node is killed, and the places between the
/// steps of a seal.
const std::vector<std::string> killing_places = {
  "stage.admit", "stage.reserve", "stage.track",
  "stage.pause", "stage.capture", "stage.resume",
  "stage.drain", "stage.seal",    "stage.report"};

} // namespace

TEST_CASE_METHOD(guest_fleet, "a node killed in any stage costs no guest",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start_watched();
  int number = 0;
  for (const auto& place : killing_places) {
    CAPTURE(place);
    restart_node("kill:" + place);
    const auto operation = "op-" + std::to_string(++number);
    auto asking = ask_aside(request(operation));
    const int status = node("h1").wait(60s);
    CHECK(WIFSIGNALED(status));
    check_guest_runs();
    restart_node();
    asking.join();
    const auto ending = ending_of(operation);
    const bool was_journaled =
      place != "stage.admit" && place != "stage.reserve";
    if (was_journaled)
      CHECK(ending.state == operation_state::ended);
    const bool was_sealed = place == "stage.report";
    CHECK((ending.state == operation_state::ended && !ending.report.outcome)
          == was_sealed);
    CHECK(snapshots().size() == (was_sealed ? 1u : 0u));
    CHECK(names_in("h1", "staging").empty());
    check_guest_runs();
  }
  const auto next = branch(request("after-all"));
  REQUIRE(next);
  CHECK(next->outcome == failure{});
}

TEST_CASE_METHOD(guest_fleet, "a coordinator killed in a branch loses nothing",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start_watched();
  for (const std::string place :
       {"stage.reserve", "stage.drain", "stage.seal"}) {
    CAPTURE(place);
    // The node stops itself there, so that the kill falls into that stage.
    restart_node("stop:" + place);
    const auto operation = "op-" + place.substr(6);
    auto asking = ask_aside(request(operation));
    wait_until_stopped();
    kill_coordinator();
    start_coordinator();
    ::kill(node("h1").pid(), SIGCONT);
    REQUIRE(eventually([this] { return is_ready(); }));
    const auto ending = ending_of(operation);
    CHECK(ending.state == operation_state::ended);
    CHECK(ending.report.outcome == failure{});
    asking.join();
    check_guest_runs();
  }
  CHECK(snapshots().size() == 3);
}

TEST_CASE_METHOD(guest_fleet,
                 "a client that goes leaves its branch to end as asked",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start_watched();
  auto asking =
    program_run{{program_path("forkfleet"), "branch", "source", "--tag",
                 "op-gone", "--operation", "op-gone", "--coordinator",
                 "127.0.0.1:" + std::to_string(port())},
                log_of("client")};
  REQUIRE(eventually([this] {
    const auto known = status_of("op-gone");
    return known && known->state != operation_state::unknown;
  }));
  asking.end(SIGKILL);
  const auto ending = ending_of("op-gone");
  CHECK(ending.state == operation_state::ended);
  CHECK(ending.report.outcome == failure{});
  const auto again = branch(request("op-gone"));
  REQUIRE(again);
  CHECK(*again == ending.report);
  CHECK(eventually([this] { return sandbox("source").branches == 1; }));
  check_guest_runs();
}

TEST_CASE_METHOD(guest_fleet, "two askers of one operation pause once",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start_watched();
  auto asking = ask_aside(request("op-twice"));
  const auto mine = branch(request("op-twice"));
  asking.join();
  REQUIRE(mine);
  CHECK(mine->outcome == failure{});
  CHECK(eventually([this] { return sandbox("source").branches == 1; }));
  CHECK(snapshots().size() == 1);
}
