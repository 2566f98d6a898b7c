// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/check.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

struct limits_fixture {
  fleet_file fleet = {};

  limits_fixture() {
    fleet.hosts = {{.name = {"a"}}};
    fleet.sandboxes = {{.name = {"s"}, .host = {"a"}, .kernel = "/k"}};
  }

  std::vector<std::string> wrong_paths() const {
    problem_list problems{"f"};
    const place_map nowhere;
    checker run{fleet, nowhere, problems};
    check_limits(run);
    std::vector<std::string> result;
    for (const auto& each : std::move(problems).sorted())
      result.push_back(each.path);
    return result;
  }
};

using paths = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(limits_fixture, "no limits are fine",
                 "[config][check_limits]") {
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(limits_fixture, "a limit of memory leaves room for the VMM",
                 "[config][check_limits][safety]") {
  auto& own = fleet.sandboxes[0].limits.memory.value;
  own = (256ull + 64) << 20;
  CHECK(wrong_paths().empty());
  own -= 1;
  CHECK(wrong_paths() == paths{"sandboxes[0].limits.memory"});
  own = 0;
  fleet.limits.sandbox.memory.value = 256ull << 20;
  CHECK(wrong_paths() == paths{"limits.sandbox.memory"});
  fleet.sandboxes[0].driver = driver_kind::simulated;
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(limits_fixture, "each limit has its range",
                 "[config][check_limits]") {
  fleet.sandboxes[0].limits = {
    .cpu_percent = 5, .pids = 16, .read = {1u << 20}};
  CHECK(wrong_paths().empty());
  fleet.sandboxes[0].limits = {
    .cpu_percent = 4, .pids = 15, .read = {1}, .write = {(1u << 20) - 1}};
  fleet.limits.child_growth = 0;
  fleet.limits.console = {1024};
  fleet.hosts[0].vm_uids = "0-9";
  fleet.limits.memory_overcommit = 10'001;
  CHECK(wrong_paths()
        == paths{"limits.memory_overcommit", "limits.child_growth",
                 "limits.console", "hosts[0].vm_uids",
                 "sandboxes[0].limits.cpu_percent", "sandboxes[0].limits.pids",
                 "sandboxes[0].limits.read", "sandboxes[0].limits.write"});
}
