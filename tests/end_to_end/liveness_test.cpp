// SPDX-License-Identifier: Apache-2.0
// What a node cannot see is not taken for gone: descriptors that run out, VMs
// that are slow, records that cannot be read, and a second node of a name.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <catch2/catch.hpp>

#include "tests/support/fleet_fixture.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

std::string one_guest() {
  return guest_sandbox("source", "h1", "96MiB", "ff.rate_mib=5 ff.set_mib=16");
}

struct living_fleet : fleet_fixture {
  explicit living_fleet(int descriptors_max = 0)
    : fleet_fixture{
      {.sandboxes = one_guest(), .descriptors_max = descriptors_max}} {}
  static bool can_run() {
    const bool is_there = !one_guest().empty();
    if (!is_there)
      skip("no example guest; run ./dev guest");
    return is_there;
  }
  std::vector<sandbox_info> sandboxes() {
    const auto all = ask<sandbox_list>(sandboxes_request{}, 10s);
    return all ? all->sandboxes : std::vector<sandbox_info>{};
  }
  /// The process of each sandbox that runs.
  std::map<std::string, uint64_t> running() {
    std::map<std::string, uint64_t> result;
    for (const auto& x : sandboxes())
      if (x.state == sandbox_state::running)
        result[x.id.value] = x.pid;
    return result;
  }
  void take_snapshot() {
    const auto report = branch({.operation = {"base"},
                                .sandbox = {"source"},
                                .tag = {"base"},
                                .mode = branch_mode::full,
                                .deadline = 60s});
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
  }
  failure fork(const std::string& name) {
    const auto made = ask<restore_report>(restore_request{.operation = {name},
                                                          .tag = {"base"},
                                                          .sandbox = {name},
                                                          .deadline = 60s},
                                          70s);
    return made ? made->outcome : made.error();
  }
  node_info node_told() {
    const auto all = ask<node_list>(nodes_request{}, 10s);
    return all && !all->nodes.empty() ? all->nodes[0] : node_info{};
  }
  std::string text_of(const std::string& path) const {
    auto in = std::ifstream{path};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  std::string record_of(const std::string& place) const {
    return data_of("h1") + "/sandboxes/" + place + "/sandbox.json";
  }
};

struct narrow_fleet : living_fleet {
  narrow_fleet() : living_fleet{64} {}

  /// Forks until the node says that it has no more.
  void fill() {
    auto refused = failure{};
    constexpr int attempts = 12;
    for (int i = 0; i < attempts && !refused; ++i)
      refused = fork("kid-" + std::to_string(kids_++));
    INFO(refused.message);
    CHECK(refused.code == ec::host_full);
    CHECK(refused.message.find("file descriptors are missing")
          != std::string::npos);
  }

private:
  int kids_ = 0;
};

} // namespace

TEST_CASE_METHOD(narrow_fleet,
                 "a node with few descriptors refuses VMs and loses none",
                 "[end_to_end][vm][safety][descriptors]") {
  if (!can_run())
    return;
  start();
  take_snapshot();
  fill();
  CHECK(node_told().load.descriptors_max == 64);
  for (int life = 0; life < 2; ++life) {
    const auto before = running();
    CHECK(before.size() > 1);
    kill_node("h1");
    start_node("h1");
    REQUIRE(eventually([this] { return is_back("h1"); }));
    CHECK(eventually([&] { return running() == before; }));
    CHECK(names_in("h1", "sandboxes").size() == before.size());
    fill();
  }
  // What was stopped makes room.
  REQUIRE(ask<done>(stop_request{.sandbox = {"kid-0"}}, 60s));
  CHECK(fork("later").code == ec::none);
}

TEST_CASE_METHOD(living_fleet, "a VM that is slow at a start is adopted later",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start();
  const auto before = running();
  const auto pid = static_cast<pid_t>(before.at("source"));
  kill_node("h1");
  ::kill(pid, SIGSTOP);
  start_node("h1");
  REQUIRE(eventually([this] { return is_back("h1"); }));
  REQUIRE(eventually(
    [this] { return sandbox("source").state == sandbox_state::stuck; }));
  CHECK(sandbox("source").note.find("looked for again") != std::string::npos);
  ::kill(pid, SIGCONT);
  CHECK(eventually([&] { return running() == before; }));
  take_snapshot();
}

TEST_CASE_METHOD(living_fleet, "a VM that ends while it is stuck is told",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start();
  take_snapshot();
  REQUIRE_FALSE(fork("kid"));
  const auto pid = static_cast<pid_t>(running().at("kid"));
  kill_node("h1");
  ::kill(pid, SIGSTOP);
  start_node("h1");
  REQUIRE(eventually([this] {
    return is_back("h1") && sandbox("kid").state == sandbox_state::stuck;
  }));
  ::kill(pid, SIGKILL);
  REQUIRE(
    eventually([this] { return sandbox("kid").state == sandbox_state::gone; }));
  CHECK(sandbox("kid").note.find("signal 9") != std::string::npos);
}

TEST_CASE_METHOD(living_fleet,
                 "a sandbox whose record is not read is no new one",
                 "[end_to_end][vm][safety]") {
  if (!can_run())
    return;
  start();
  const auto before = running();
  kill_node("h1");
  const auto record = record_of("source");
  std::filesystem::rename(record, record + ".kept");
  std::filesystem::create_symlink("/nowhere", record);
  start_node("h1");
  REQUIRE(eventually([this] { return is_back("h1"); }));
  REQUIRE(eventually(
    [this] { return sandbox("source").state == sandbox_state::stuck; }));
  CHECK(names_in("h1", "sandboxes").size() == 1);
  std::filesystem::rename(record + ".kept", record);
  CHECK(eventually([&] { return running() == before; }));
}

TEST_CASE_METHOD(living_fleet, "the note of a VM tells what killed it",
                 "[end_to_end][vm]") {
  if (!can_run())
    return;
  start();
  ::kill(static_cast<pid_t>(running().at("source")), SIGKILL);
  REQUIRE(eventually(
    [this] { return sandbox("source").state == sandbox_state::gone; }));
  CHECK(sandbox("source").note == "its VMM was killed by signal 9 (SIGKILL)");
}

TEST_CASE("a second node of a name is refused while the first lives",
          "[end_to_end][safety]") {
  fleet_fixture fleet{{.sandboxes = simulated_sandbox("a", "h1")}};
  fleet.start();
  REQUIRE(fleet.branch({.operation = {"op-1"},
                        .sandbox = {"a"},
                        .tag = {"op-1"},
                        .mode = branch_mode::full}));
  const auto told = [&fleet] {
    const auto all = fleet.ask<node_list>(nodes_request{}, 10s);
    return all ? all->nodes.at(0) : node_info{};
  };
  const auto first = told();
  CHECK(first.identity.size() == 32);
  const auto other = fleet.directory() + "/other.yaml";
  {
    auto in = std::ifstream{fleet.file()};
    auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
    const auto at = text.find("/data-h1");
    text.insert(at + 8, "-other");
    std::ofstream{other} << text;
  }
  const auto log = fleet.log_of("second");
  auto second = program_run{
    {program_path("forkfleet-node"), "--fleet", other, "--host", "h1"}, log};
  CHECK(eventually([&log] {
    auto in = std::ifstream{log};
    const auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
    return text.find("has another node") != std::string::npos
           && text.find("data-h1-other") != std::string::npos;
  }));
  CHECK(told().identity == first.identity);
  CHECK(fleet.snapshots().size() == 1);
  // A connection that breaks does not hand the name over.
  fleet.kill_coordinator();
  second.end(SIGKILL);
  fleet.start_coordinator();
  CHECK(eventually([&] { return fleet.is_ready(); }));
  CHECK(told().identity == first.identity);
  CHECK(fleet.snapshots().size() == 1);
}
