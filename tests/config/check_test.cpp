// SPDX-License-Identifier: Apache-2.0
#include "config/check.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;
using namespace std::chrono_literals;

namespace {

/// A fleet without a fault, to be spoilt.
fleet_file sound_fleet() {
  fleet_file fleet;
  fleet.coordinator.data = "/s/c";
  fleet.hosts = {{.name = {"a"}, .data = "/s/a"}};
  fleet.sandboxes = {{.name = {"s"}, .host = {"a"}, .kernel = "/k"}};
  return fleet;
}

std::vector<std::string> wrong_paths(const fleet_file& fleet) {
  problem_list problems{"f"};
  check(fleet, {{"hosts", {}}}, problems);
  std::vector<std::string> result;
  for (const auto& each : std::move(problems).sorted())
    result.push_back(each.path);
  return result;
}

using paths = std::vector<std::string>;

} // namespace

TEST_CASE("the defaults are within their limits", "[config][check]") {
  CHECK(wrong_paths(sound_fleet()).empty());
}

TEST_CASE("both ends of a range are allowed and what is beyond is not",
          "[config][check]") {
  auto fleet = sound_fleet();
  auto& pause = fleet.branch.pause_max;
  for (const auto good : {100ms, 60000ms}) {
    pause = good;
    CHECK(wrong_paths(fleet).empty());
  }
  for (const auto bad : {99ms, 60001ms}) {
    pause = bad;
    CHECK(wrong_paths(fleet) == paths{"branch.pause_max"});
  }
}

TEST_CASE("a pause that is wished for is no longer than the one allowed",
          "[config][check]") {
  auto fleet = sound_fleet();
  fleet.branch.pause_max = 1s;
  for (const auto good : {0ms, 1ms, 1000ms}) {
    fleet.branch.max_pause = good;
    CHECK(wrong_paths(fleet).empty());
  }
  for (const auto bad : {-1ms, 1001ms}) {
    fleet.branch.max_pause = bad;
    CHECK(wrong_paths(fleet) == paths{"branch.max_pause"});
  }
}

TEST_CASE("a chain is bounded", "[config][check]") {
  auto fleet = sound_fleet();
  for (const auto good : {1u, 256u}) {
    fleet.branch.chain_depth = good;
    CHECK(wrong_paths(fleet).empty());
  }
  for (const auto bad : {0u, 257u}) {
    fleet.branch.chain_depth = bad;
    CHECK(wrong_paths(fleet) == paths{"branch.chain_depth"});
  }
}

TEST_CASE("archives do not lie among what the node keeps",
          "[config][check][safety]") {
  auto fleet = sound_fleet();
  auto& archives = fleet.hosts[0].archives;
  for (const auto* good : {"/s/a/archives", "/s/a/archives/x", "/s/b", "/s"}) {
    archives = good;
    CHECK(wrong_paths(fleet).empty());
  }
  for (const auto* bad : {"/s/a", "/s/a/snapshots", "/s/a/archives-2"}) {
    archives = bad;
    CHECK(wrong_paths(fleet) == paths{"hosts[0].archives"});
  }
}

TEST_CASE("a node times out after three heartbeats at the earliest",
          "[config][check]") {
  auto fleet = sound_fleet();
  fleet.coordinator.heartbeat = 2s;
  fleet.coordinator.node_timeout = 6s;
  CHECK(wrong_paths(fleet).empty());
  fleet.coordinator.node_timeout = 5999ms;
  CHECK(wrong_paths(fleet) == paths{"coordinator.node_timeout"});
}

TEST_CASE("two machines may use the same directory name", "[config][check]") {
  auto fleet = sound_fleet();
  fleet.coordinator.tls = fleet.client_tls = {"a", "c", "k"};
  fleet.coordinator.listen = {"10.0.0.9", 7711};
  fleet.hosts = {
    {.name = {"a"},
     .address = "10.0.0.1",
     .data = "/d",
     .tls = fleet.client_tls},
    {.name = {"b"},
     .address = "10.0.0.2",
     .data = "/d",
     .tls = fleet.client_tls},
  };
  CHECK(wrong_paths(fleet).empty());
  fleet.hosts[1].address = "10.0.0.1";
  CHECK(wrong_paths(fleet) == paths{"hosts[1].data"});
}

TEST_CASE("two programs of one machine never share a directory",
          "[config][check][safety]") {
  auto fleet = sound_fleet();
  fleet.hosts.push_back(
    {.name = {"b"}, .address = "127.0.0.1", .data = "/s/a"});
  CHECK(wrong_paths(fleet) == paths{"hosts[1].data"});
  fleet.hosts[1].data = "/s/c";
  CHECK(wrong_paths(fleet) == paths{"hosts[1].data"});
}

TEST_CASE("a value that is wrong already is not told again",
          "[config][check]") {
  auto fleet = sound_fleet();
  fleet.version = 2;
  problem_list problems{"f"};
  problems.add("version", {}, {"is no number"});
  check(fleet, {}, problems);
  CHECK(std::move(problems).sorted().size() == 1);
}

TEST_CASE("a rule of the retention names a label and what it keeps",
          "[config][check]") {
  auto fleet = sound_fleet();
  auto& retention = fleet.retention;
  retention.rules = {{.label = "kind=nightly", .keep_last = 7},
                     {.label = "kind=try", .ttl = 7 * 24h}};
  CHECK(wrong_paths(fleet).empty());
  retention.rules.push_back({.label = "no label", .keep_last = 1});
  CHECK(wrong_paths(fleet) == paths{"retention.rules[2].label"});
  retention.rules = {{.label = "a=1"}};
  CHECK(wrong_paths(fleet) == paths{"retention.rules[0]"});
  retention.rules = {{.label = "a=1", .ttl = 10ms}};
  CHECK(wrong_paths(fleet) == paths{"retention.rules[0].ttl"});
  retention = {.sweep = 1ms, .removals_max = 0, .pinned = "x"};
  CHECK(
    wrong_paths(fleet)
    == paths{"retention.sweep", "retention.removals_max", "retention.pinned"});
}
