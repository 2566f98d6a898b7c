// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/check.hpp"
#include "config/load.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

struct reach_fixture {
  fleet_file fleet = {};
  place_map places = {};

  reach_fixture() {
    fleet.hosts = {{.name = {"a"}, .network_range = "10.99.0.0/24"},
                   {.name = {"b"}, .network_range = "10.99.1.0/24"}};
    fleet.sandboxes = {{.name = {"s"}, .host = {"a"}, .kernel = "/k"}};
  }

  network_section& network() { return fleet.sandboxes[0].network; }

  std::vector<std::string> wrong_paths() const {
    problem_list problems{"f"};
    checker run{fleet, places, problems};
    check_reach(run);
    std::vector<std::string> result;
    for (const auto& each : std::move(problems).sorted())
      result.push_back(each.path);
    return result;
  }
};

using paths = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(reach_fixture, "a list of what is reached needs a network",
                 "[config][check_reach]") {
  CHECK(wrong_paths().empty());
  network().egress = {"192.0.2.0/24:443", "192.0.2.7:53/udp"};
  CHECK(wrong_paths() == paths{"sandboxes[0].network.egress"});
  network().mode = network_mode::automatic;
  CHECK(wrong_paths().empty());
  network().egress.push_back("example.org:443");
  CHECK(wrong_paths() == paths{"sandboxes[0].network.egress[2]"});
  network().egress.assign(65, "192.0.2.7");
  CHECK(wrong_paths() == paths{"sandboxes[0].network.egress"});
}

TEST_CASE_METHOD(reach_fixture, "user mode keeps to no list",
                 "[config][check_reach][safety]") {
  network().mode = network_mode::user;
  CHECK(wrong_paths().empty());
  network().egress = {"0.0.0.0/0"};
  CHECK(wrong_paths().empty());
  network().egress = {"0.0.0.0/0:443"};
  CHECK(wrong_paths() == paths{"sandboxes[0].network.egress"});
}

TEST_CASE_METHOD(reach_fixture, "hosts of one machine share no addresses",
                 "[config][check_reach][safety]") {
  places["hosts[1].network_range"] = {};
  CHECK(wrong_paths().empty());
  fleet.hosts[1].network_range = "10.99.0.128/25";
  CHECK(wrong_paths() == paths{"hosts[1].network_range"});
  fleet.hosts[1].address = "192.0.2.1";
  CHECK(wrong_paths().empty());
  fleet.hosts[1].network_range = "10.99.0.0/31";
  CHECK(wrong_paths() == paths{"hosts[1].network_range"});
  fleet.hosts[1].network_range = "10.99";
  CHECK(wrong_paths() == paths{"hosts[1].network_range"});
}
