// SPDX-License-Identifier: Apache-2.0
// Real programs on loopback with simulated VMs: join, branch, die, rejoin.
#include <csignal>
#include <fstream>
#include <iterator>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/fleet_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

fleet_shape two_hosts() {
  return {.hosts = {"h1", "h2"},
          .sandboxes =
            simulated_sandbox("a", "h1") + simulated_sandbox("b", "h2")};
}

struct running_fleet : fleet_fixture {
  running_fleet() : fleet_fixture{two_hosts()} { start(); }

  branch_request request(const std::string& operation) {
    return {.operation = {operation}, .sandbox = {"a"}, .tag = {operation}};
  }
};

} // namespace

TEST_CASE_METHOD(running_fleet, "each sandbox is branched on its own host",
                 "[end_to_end]") {
  const auto first = branch({.sandbox = {"a"}, .tag = {"t-a"}});
  const auto second = branch({.sandbox = {"b"}, .tag = {"t-b"}});
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->outcome == failure{});
  CHECK(first->host.value == "h1");
  CHECK(second->host.value == "h2");
  CHECK(first->stages.size() == 8);
  CHECK(names_in("h1", "snapshots") == std::vector<std::string>{"t-a"});
  CHECK(names_in("h1", "staging").empty());
}

TEST_CASE_METHOD(running_fleet, "a repeated operation gets the first outcome",
                 "[end_to_end][safety]") {
  const auto first = branch(request("op-1"));
  const auto again = branch(request("op-1"));
  REQUIRE(first);
  REQUIRE(again);
  CHECK(*first == *again);
  CHECK(eventually([this] { return sandbox("a").branches == 1; }));
}

TEST_CASE_METHOD(running_fleet,
                 "a coordinator that was killed learns all again",
                 "[end_to_end][safety]") {
  const auto first = branch(request("op-1"));
  REQUIRE(first);
  kill_coordinator();
  start_coordinator();
  REQUIRE(eventually([this] { return is_ready(); }));
  const auto status = status_of("op-1");
  REQUIRE(status);
  CHECK(status->state == operation_state::ended);
  CHECK(status->report == *first);
  CHECK(snapshots().size() == 1);
  const auto again = branch(request("op-1"));
  REQUIRE(again);
  CHECK(*again == *first);
}

TEST_CASE_METHOD(running_fleet, "a node that was killed comes back with all",
                 "[end_to_end][safety]") {
  REQUIRE(branch(request("op-1")));
  kill_node("h1");
  start_node("h1");
  REQUIRE(eventually([this] { return is_ready(); }));
  CHECK(snapshots().size() == 1);
  const auto status = status_of("op-1");
  REQUIRE(status);
  CHECK(status->state == operation_state::ended);
  CHECK_FALSE(status->report.outcome);
}

TEST_CASE_METHOD(running_fleet, "programs end in order when they are asked",
                 "[end_to_end]") {
  const int status = node("h1").end(SIGTERM);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(eventually([this] {
    const auto nodes = ask<node_list>(nodes_request{}, std::chrono::seconds{5});
    return nodes && nodes->nodes[0].state == node_state::down;
  }));
}

TEST_CASE_METHOD(running_fleet, "a child starts from a sealed snapshot",
                 "[end_to_end]") {
  REQUIRE(branch(request("op-1")));
  const auto child =
    ask<restore_report>(restore_request{.tag = {"op-1"}, .sandbox = {"child"}},
                        std::chrono::seconds{30});
  REQUIRE(child);
  CHECK_FALSE(child->outcome);
  CHECK(child->sandbox.parent.value == "op-1");
  CHECK(sandbox("child").state == sandbox_state::running);
  const auto kept =
    ask<done>(remove_request{.tag = {"op-1"}}, std::chrono::seconds{10});
  REQUIRE_FALSE(kept);
  CHECK(kept.error().message == "child runs on op-1; stop it first");
}

TEST_CASE_METHOD(running_fleet, "what is asked wrongly is told clearly",
                 "[end_to_end]") {
  const auto nobody = branch({.sandbox = {"nobody"}, .tag = {"t"}});
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == ec::unknown_sandbox);
  const auto bad_tag = branch({.sandbox = {"a"}, .tag = {"../../etc"}});
  REQUIRE_FALSE(bad_tag);
  CHECK(bad_tag.error().code == ec::invalid_request);
  REQUIRE(branch(request("op-1")));
  const auto taken = branch({.sandbox = {"a"}, .tag = {"op-1"}});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == ec::snapshot_exists);
}

TEST_CASE_METHOD(running_fleet, "whatever bytes come, the coordinator serves",
                 "[end_to_end][safety]") {
  auto abuse =
    program_run{{program_path("port_abuse"), reach().coordinator.socket, "0"},
                log_of("abuse")};
  const int status = abuse.wait(std::chrono::seconds{120});
  auto said = std::ifstream{log_of("abuse")};
  INFO((std::string{std::istreambuf_iterator<char>{said}, {}}));
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const auto after = branch(request("op-1"));
  REQUIRE(after);
  CHECK(after->outcome == failure{});
  CHECK(memory_of_coordinator() < (100u << 20));
}
