// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "node/node_work.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct doctor_fixture : node_fixture {
  doctor_request asked() const {
    return {.host = {"h1"}, .epoch = script->epoch};
  }
};

} // namespace

TEST_CASE_METHOD(doctor_fixture, "a node tells how its host does",
                 "[node][doctor]") {
  adjust = [](node_services& services) {
    services.examine_host = [] {
      return std::vector<host_check>{{.name = "kvm", .found = "it is there"}};
    };
  };
  start();
  const auto report = ask<doctor_report>(asked());
  REQUIRE(report);
  CHECK(report->host.value == "h1");
  CHECK_FALSE(report->outcome);
  REQUIRE(report->checks.size() == 1);
  CHECK(report->checks.front().name == "kvm");
}

TEST_CASE_METHOD(doctor_fixture, "a node that cannot look says so",
                 "[node][doctor]") {
  start();
  const auto report = ask<doctor_report>(asked());
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::unsupported);
}
