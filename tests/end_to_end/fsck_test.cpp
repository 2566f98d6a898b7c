// SPDX-License-Identifier: Apache-2.0
// Nothing is left behind: a node that dies in the middle of a fork leaves
// children that run or no trace of them, and the ledger answers for each.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <sys/wait.h>
#include <utility>

#include <catch2/catch.hpp>

#include "actors/fsck_protocol.hpp"
#include "actors/schema/json.hpp"
#include "tests/support/guest_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// What fork and fsck need of a fleet, whatever its guests are.
template <class Fleet>
struct checked_fleet : Fleet {
  using Fleet::Fleet;

  program_run fork(const std::string& count) {
    return program_run{{program_path("forkfleet"), "fork", "warm", "--count",
                        count, "--name", "kid", "--operation", "op-kid",
                        "--in-flight", "4", "--coordinator",
                        "127.0.0.1:" + std::to_string(this->port())},
                       this->log_of("fork")};
  }

  /// forkfleet fsck of the fleet: its exit code and what it printed.
  std::pair<int, std::string> fsck(std::vector<std::string> more) {
    std::vector<std::string> words{program_path("forkfleet"),
                                   "fsck",
                                   "--young",
                                   "5s",
                                   "--coordinator",
                                   "127.0.0.1:" + std::to_string(this->port())};
    words.insert(words.end(), more.begin(), more.end());
    const auto log = this->log_of("fleet-fsck");
    auto run = program_run{words, log};
    const int status = run.wait(120s);
    auto in = std::ifstream{log};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            std::string{std::istreambuf_iterator<char>{in}, {}}};
  }

  void take_warm() {
    const auto report = this->branch({.operation = {"warm"},
                                      .sandbox = {"source"},
                                      .tag = {"warm"},
                                      .mode = branch_mode::full});
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
  }

  /// Kills the node when more than `begun` directories are there, and the
  /// tool, which would ask again; then starts the node.
  void fork_and_kill(const std::string& count, std::size_t begun) {
    auto tool = fork(count);
    REQUIRE(eventually(
      [&] { return this->names_in("h1", "sandboxes").size() > begun; }));
    this->kill_node("h1");
    tool.end(SIGKILL);
    this->start_node("h1");
    // What the coordinator knew of the node's earlier life is no answer.
    REQUIRE(eventually([&] { return this->is_back("h1"); }));
    REQUIRE(eventually(
      [&] { return this->sandbox("source").state == sandbox_state::running; }));
  }

  std::map<std::string, sandbox_info> children() {
    std::map<std::string, sandbox_info> result;
    const auto all = this->template ask<sandbox_list>(sandboxes_request{}, 10s);
    REQUIRE(all);
    for (const auto& x : all->sandboxes)
      if (x.origin == sandbox_origin::restored)
        result[x.id.value] = x;
    return result;
  }

  /// What forkfleet-fsck says while no node has the data, and its exit code.
  fsck_report check(int code) {
    const auto log = this->log_of("fsck-" + std::to_string(++checks_));
    auto tool = program_run{{program_path("forkfleet-fsck"), "--data",
                             this->data_of("h1"), "--all", "--young", "1ms"},
                            log};
    const int status = tool.wait(60s);
    auto in = std::ifstream{log};
    const auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
    INFO(text);
    CHECK(WEXITSTATUS(status) == code);
    const auto value = schema::parse_json(text);
    REQUIRE(value);
    const auto report = schema::from_json<fsck_report>(*value);
    REQUIRE(report);
    return *report;
  }

  /// The ledger has each of so many sandboxes, `each` processes of every one
  /// of them, and nothing that is half-made.
  void check_ledger(std::size_t sandboxes, std::size_t each) {
    std::map<ledger_kind, std::size_t> owned;
    for (const auto& x : check(0).counts) {
      CHECK(x.state == ledger_state::owned);
      owned[x.kind] += x.count;
    }
    CHECK(owned[ledger_kind::sandbox] == sandboxes);
    CHECK(owned[ledger_kind::process] == sandboxes * each);
    CHECK(owned[ledger_kind::snapshot] == 1);
    CHECK(owned[ledger_kind::staging] == 0);
  }

private:
  int checks_ = 0;
};

struct simulated_fleet_of_one : fleet_fixture {
  simulated_fleet_of_one()
    : fleet_fixture{{.sandboxes = simulated_sandbox("source", "h1")}} {}
};

using simulated_checked = checked_fleet<simulated_fleet_of_one>;
using guest_checked = checked_fleet<guest_fleet>;

} // namespace

TEST_CASE_METHOD(simulated_checked,
                 "a node killed among fifty simulated children leaves nothing",
                 "[end_to_end][fsck][safety]") {
  const auto begun = GENERATE(1u, 20u, 45u);
  CAPTURE(begun);
  start();
  take_warm();
  CHECK(check(1).outcome.code == ec::not_permitted); // a node has it
  const auto earlier = sandbox("source").started_at;
  fork_and_kill("50", begun);
  // A simulated VM ends with its node, and is started anew.
  REQUIRE(eventually([&] {
    const auto now = sandbox("source");
    return now.state == sandbox_state::running && now.started_at != earlier;
  }));
  // Nothing lies there that nobody knows: it would be there for good.
  REQUIRE(eventually([this] {
    return names_in("h1", "sandboxes").size() == children().size() + 1;
  }));
  // The coordinator asks again for what was under way: some begin only now.
  const auto known = children().size() + 1;
  kill_node("h1");
  const auto there = names_in("h1", "sandboxes").size();
  CHECK(there >= known);
  CHECK(there <= known + 4);
  check_ledger(there, 0);
}

TEST_CASE_METHOD(simulated_checked,
                 "fsck of a fleet finds what was planted, and removes it",
                 "[end_to_end][fsck]") {
  start();
  take_warm();
  CHECK(fsck({}).first == 0);
  const auto lost = data_of("h1") + "/staging/op-lost";
  const auto half = data_of("h1") + "/sandboxes/half";
  for (const auto& path : {lost, half}) {
    fs::create_directories(path);
    std::ofstream{path + "/memory.bin"} << "x";
  }
  CHECK(fsck({"--repair"}).first == 0);
  CHECK(fs::exists(lost)); // it is young
  REQUIRE(eventually([&] { return fsck({}).first == 10; }));
  const auto [code, text] = fsck({"--repair"});
  INFO(text);
  CHECK(code == 10);
  CHECK(text.find("op-lost") != std::string::npos);
  CHECK_FALSE(fs::exists(lost));
  CHECK_FALSE(fs::exists(half));
  CHECK(fsck({}).first == 0);
  kill_node("h1");
  const auto [down, said] = fsck({});
  CHECK(down == 1);
  CHECK(said.find("h1") != std::string::npos);
  CHECK(said.find("node_down") != std::string::npos);
}

TEST_CASE_METHOD(guest_checked,
                 "fsck --repair among children that start harms none",
                 "[end_to_end][vm][fsck][safety]") {
  if (!can_run())
    return;
  start_watched();
  take_warm();
  auto tool = fork("8");
  std::size_t checks = 0;
  for (; tool.is_running() || checks < 3; ++checks) {
    const auto [code, text] = fsck({"--repair"});
    INFO(text);
    CHECK(code == 0);
  }
  CHECK(tool.wait(1s) == 0);
  CHECK(children().size() == 8);
  for (const auto& [name, info] : children())
    CHECK(info.state == sandbox_state::running);
  CHECK(fsck({"--repair"}).first == 0);
  check_guest_runs();
  for (const auto& [name, info] : children()) {
    CHECK(ask<done>(stop_request{.sandbox = {name}}, 30s));
    CHECK(fsck({"--repair"}).first == 0);
  }
}

TEST_CASE_METHOD(guest_checked,
                 "a node killed among children of QEMU leaves nothing",
                 "[end_to_end][vm][fsck][safety]") {
  if (!can_run())
    return;
  const auto begun = GENERATE(2u, 6u);
  CAPTURE(begun);
  start_watched();
  take_warm();
  fork_and_kill("8", begun);
  REQUIRE(eventually([this] { return is_ready(); }));
  const auto kept = children();
  for (const auto& [name, info] : kept) {
    CAPTURE(name, info.note);
    CHECK(info.state == sandbox_state::running);
  }
  kill_node("h1");
  check_guest_runs();
  check_ledger(kept.size() + 1, 2); // a keeper and a VMM each
  start_node("h1");
  REQUIRE(eventually([this] { return is_ready(); }));
  for (const auto& [name, info] : kept)
    CHECK(ask<done>(stop_request{.sandbox = {name}}, 30s));
  kill_node("h1");
  check_ledger(1, 2);
}
