// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fleet_plan.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

using verdict = readiness::verdict;
using words = std::vector<std::string>;

config::host_section host(std::string name, std::string address) {
  return {.name = {std::move(name)}, .address = std::move(address)};
}

struct planner {
  config::fleet_file fleet = {};
  machine here{.hostname = "box.example", .addresses = {"10.0.0.7"}};
  launch_settings settings{.fleet_path = "/f.yaml",
                           .coordinator_program = "/bin/c",
                           .node_program = "/bin/n",
                           .log_directory = "/log",
                           .leash = 42};

  planner() { fleet.hosts = {host("a", ""), host("b", "10.0.0.9")}; }
  fleet_plan plan() const { return plan_fleet(fleet, here, settings); }
};

struct judged : planner {
  std::vector<node_info> nodes = {{.host = {"a"}, .state = node_state::up}};
  std::vector<sandbox_info> sandboxes = {};

  judged() {
    fleet.sandboxes.push_back({.name = {"web"}, .host = {"a"}});
    fleet.sandboxes.push_back({.name = {"far"}, .host = {"b"}});
  }
  readiness judge_now() const { return judge(fleet, plan(), nodes, sandboxes); }
};

} // namespace

TEST_CASE("a machine knows its names and addresses",
          "[actors][shell][machine]") {
  const machine here{.hostname = "box.example", .addresses = {"10.0.0.7"}};
  for (const char* name : {"", "localhost", "127.0.0.3", "::1", "0.0.0.0",
                           "10.0.0.7", "box.example", "box"})
    CHECK(is_here(name, here));
  for (const char* name : {"10.0.0.70", "box.other", "other", "boxx"})
    CHECK_FALSE(is_here(name, here));
}

TEST_CASE_METHOD(planner, "the coordinator starts first, then our own nodes",
                 "[actors][shell][fleet_plan]") {
  const auto x = plan();
  REQUIRE(x.programs.size() == 2);
  CHECK(x.programs[0].arguments == words{"/bin/c", "--fleet", "/f.yaml"});
  CHECK(x.programs[1].arguments
        == words{"/bin/n", "--fleet", "/f.yaml", "--host", "a", "--leash", "42",
                 "--stop-sandboxes"});
  CHECK(x.programs[1].log == "/log/node-a.log");
  REQUIRE(x.elsewhere.size() == 1);
  CHECK(x.elsewhere[0].value == "b");
}

TEST_CASE_METHOD(planner, "without a leash sandboxes may stay",
                 "[actors][shell][fleet_plan][safety]") {
  settings.leash = 0;
  settings.stop_sandboxes = false;
  CHECK(plan().programs[1].arguments
        == words{"/bin/n", "--fleet", "/f.yaml", "--host", "a"});
}

TEST_CASE_METHOD(planner, "another machine's coordinator is not started here",
                 "[actors][shell][fleet_plan]") {
  fleet.coordinator.listen = {"10.0.0.1", 7711};
  const auto x = plan();
  CHECK_FALSE(x.has_coordinator);
  REQUIRE(x.programs.size() == 1);
  CHECK(x.programs[0].name == "node a");
}

TEST_CASE_METHOD(judged, "a fleet is ready when its nodes and sandboxes are",
                 "[actors][shell][fleet_plan]") {
  nodes[0].state = node_state::expected;
  CHECK(judge_now().text == "node a");
  nodes[0].state = node_state::up;
  CHECK(judge_now().what == verdict::waiting);
  CHECK(judge_now().text == "sandbox web");
  sandboxes = {{.id = {"web"}, .state = sandbox_state::starting}};
  CHECK(judge_now().what == verdict::waiting);
  sandboxes[0].state = sandbox_state::running;
  CHECK(judge_now().what == verdict::ready);
}

TEST_CASE_METHOD(judged, "a sandbox that ended by itself is a failed start",
                 "[actors][shell][fleet_plan]") {
  sandboxes = {{.id = {"web"}, .state = sandbox_state::gone, .note = "why"}};
  CHECK(judge_now().what == verdict::failed);
  CHECK(judge_now().text == "sandbox web is gone: why");
}
