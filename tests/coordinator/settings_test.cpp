// SPDX-License-Identifier: Apache-2.0
#include "coordinator/settings.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("settings are those of the fleet file", "[coordinator][settings]") {
  auto fleet = config::fleet_file{};
  fleet.hosts = {{.name = {"h1"}}, {.name = {"h2"}}};
  fleet.coordinator.heartbeat = 200ms;
  fleet.coordinator.operations_kept = 123;
  fleet.branch.deadline = 9s;
  const auto settings = settings_of(fleet);
  CHECK(settings.hosts == std::vector<host_name>{{"h1"}, {"h2"}});
  CHECK(settings.heartbeat == 200ms);
  CHECK(settings.operations_kept == 123);
  CHECK(settings.deadline == 9s);
}
