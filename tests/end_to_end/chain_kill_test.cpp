// SPDX-License-Identifier: Apache-2.0
// Deaths under real QEMU guests that have a chain of snapshots: the guest
// counts on, each operation has one ending, and the next diff is right.
#include <csignal>
#include <cstdio>
#include <thread>

#include <catch2/catch.hpp>

#include "node/qemu/keeper_link.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/unix_socket.hpp"
#include "tests/support/guest_fleet.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> killing_places = {
  "stage.reserve", "stage.track", "stage.pause",  "stage.capture",
  "stage.resume",  "stage.drain", "seal.renamed", "stage.report"};

struct chain_fleet : guest_fleet {
  using guest_fleet::guest_fleet;

  /// A branch of a mode of its own that must come out right.
  void branch_right(const std::string& operation, branch_mode mode) {
    REQUIRE(eventually([this] { return is_ready(); }));
    const auto report = branch(request(operation, mode));
    INFO(operation << ": "
                   << to_string(report ? report->outcome : report.error()));
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
    check_whole(operation);
  }

  void start_chain() {
    start_watched();
    branch_right("base", branch_mode::full);
  }

  /// How the operation ended, and what must hold of any ending.
  failure outcome_of(const std::string& operation) {
    const auto ending = ending_of(operation);
    CHECK(ending.state == operation_state::ended);
    CHECK(eventually([this] { return names_in("h1", "staging").empty(); }));
    bool is_listed = false;
    for (const auto& info : snapshots())
      is_listed = is_listed || info.tag.value == operation;
    CHECK(is_listed == !ending.report.outcome);
    return ending.report.outcome;
  }

  void end_process(uint64_t pid) {
    REQUIRE(pid > 1);
    ::kill(static_cast<pid_t>(pid), SIGKILL);
  }

  std::string in_sandbox(const char* name) {
    return sandbox("source").directory + "/" + name;
  }
};

} // namespace

TEST_CASE_METHOD(chain_fleet,
                 "a node killed in any stage leaves a chain that "
                 "goes on",
                 "[end_to_end][vm][chain][safety]") {
  if (!can_run())
    return;
  const auto mode =
    GENERATE(branch_mode::diff, branch_mode::full, branch_mode::live);
  CAPTURE(schema::name_of(mode));
  start_chain();
  int number = 0;
  for (const auto& place : killing_places) {
    CAPTURE(place);
    const auto name = std::to_string(++number);
    restart_node("kill:" + place);
    auto asking = ask_aside(request("killed-" + name, mode));
    const int status = node("h1").wait(60s);
    CHECK(WIFSIGNALED(status));
    check_guest_runs();
    restart_node();
    asking.join();
    // Killed before its journal knew of it, the operation may be unknown.
    if (place != "stage.reserve")
      outcome_of("killed-" + name);
    // What a tracker had found when its node died is lost: that is a full one.
    branch_right("next-" + name, branch_mode::automatic);
    branch_right("then-" + name, branch_mode::diff);
    check_guest_runs();
  }
  check_child("then-" + std::to_string(number));
}

TEST_CASE("a node that stops in the pause cannot keep the guest",
          "[end_to_end][vm][chain][safety]") {
  const auto mode =
    GENERATE(branch_mode::diff, branch_mode::full, branch_mode::live);
  CAPTURE(schema::name_of(mode));
  auto fleet = chain_fleet{"  pause_max: 500ms\n"};
  if (!chain_fleet::can_run())
    return;
  fleet.start_chain();
  fleet.restart_node("stop:stage.capture");
  const auto begun = std::chrono::steady_clock::now();
  auto asking = fleet.ask_aside(fleet.request("stopped", mode));
  fleet.wait_until_stopped();
  // The node still stands: only the keeper can have done that.
  fleet.check_guest_runs();
  const auto silence =
    fleet.guest->longest_silence(begun, std::chrono::steady_clock::now());
  std::printf("node stopped in the pause of a %s: no tick was heard for %lld "
              "ms\n",
              std::string{schema::name_of(mode)}.c_str(),
              static_cast<long long>(silence.duration() / 1ms));
  fleet.resume_node();
  asking.join();
  fleet.outcome_of("stopped");
  fleet.check_guest_runs();
  fleet.restart_node();
  fleet.branch_right("next", branch_mode::automatic);
  fleet.check_child("next");
}

TEST_CASE_METHOD(chain_fleet, "a VM killed in a branch is gone, and said so",
                 "[end_to_end][vm][chain][safety]") {
  if (!can_run())
    return;
  const std::string place =
    GENERATE("stage.track", "stage.capture", "stage.drain");
  const bool kills_keeper = GENERATE(false, true);
  CAPTURE(place, kills_keeper);
  start_chain();
  restart_node("stop:" + place);
  auto asking = ask_aside(request("lost", branch_mode::diff));
  wait_until_stopped();
  const auto link = qemu::keeper_link::connect(
    data_of("h1") + "/sandboxes/source/" + qemu::keeper_socket,
    clock::now() + 20s);
  REQUIRE(link);
  const auto& identity = link->identity();
  end_process(static_cast<uint64_t>(kills_keeper ? identity.keeper.pid
                                                 : identity.vmm.pid));
  resume_node();
  asking.join();
  outcome_of("lost");
  CHECK(eventually(
    [this] { return sandbox("source").state != sandbox_state::running; }));
  CHECK(node("h1").is_running());
  check_whole("base");
}

TEST_CASE_METHOD(chain_fleet, "a second client on a QMP socket stops no branch",
                 "[end_to_end][vm][chain][safety]") {
  if (!can_run())
    return;
  start_chain();
  for (const auto* name : {qemu::qmp_socket, qemu::watchdog_socket}) {
    CAPTURE(name);
    const auto thief =
      qemu::connect_unix(in_sandbox(name), SOCK_STREAM, clock::now() + 10s);
    REQUIRE(thief);
    const auto tag = "beside-" + std::string{name}.substr(0, 3);
    branch_right(tag, branch_mode::diff);
    check_guest_runs();
  }
}

TEST_CASE("a disk that fills up in any stage costs at most the snapshot",
          "[end_to_end][vm][chain][safety]") {
  const std::string place =
    GENERATE("stage.reserve", "stage.track", "stage.drain", "stage.seal");
  CAPTURE(place);
  auto disk = scratch_disk::make(disk_kind::ext4, 400ull << 20);
  if (!disk)
    return skip(to_string(disk.error()));
  auto fleet = chain_fleet{"", (*disk)->path()};
  if (!chain_fleet::can_run())
    return;
  fleet.start_chain();
  fleet.restart_node("stop:" + place);
  auto asking = fleet.ask_aside(fleet.request("full", branch_mode::diff));
  fleet.wait_until_stopped();
  const auto filler = (*disk)->path() + "/filler";
  static_cast<void>(run_program("dd if=/dev/zero bs=64k of=" + filler));
  fleet.resume_node();
  asking.join();
  const auto outcome = fleet.outcome_of("full");
  CHECK((!outcome || outcome.code == ec::disk_full));
  fleet.check_guest_runs();
  REQUIRE(run_program("rm " + filler));
  fleet.restart_node();
  fleet.branch_right("next", branch_mode::automatic);
  fleet.check_child("next");
}
