// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/check.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

const tls_files certificates{"ca", "c", "k"};

struct network_fixture {
  fleet_file fleet = {};

  network_fixture() {
    fleet.hosts = {{.name = {"a"}}, {.name = {"b"}, .address = "127.0.0.2"}};
  }

  std::vector<std::string> wrong_paths() const {
    problem_list problems{"f"};
    const place_map nowhere;
    checker run{fleet, nowhere, problems};
    check_network(run);
    std::vector<std::string> result;
    for (const auto& each : std::move(problems).sorted())
      result.push_back(each.path);
    return result;
  }

  void give_certificates() {
    fleet.coordinator.tls = fleet.client_tls = certificates;
    for (auto& host : fleet.hosts)
      host.tls = certificates;
  }
};

using paths = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(network_fixture, "one machine needs no certificates",
                 "[config][check_network]") {
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(network_fixture,
                 "beyond loopback every program needs certificates",
                 "[config][check_network][safety]") {
  const bool by_listen = GENERATE(true, false);
  if (by_listen)
    fleet.coordinator.listen.host = "10.0.0.1";
  else
    fleet.hosts[1].address = "box";
  auto wrong =
    paths{"coordinator.tls", "client_tls", "hosts[0].tls", "hosts[1].tls"};
  if (!by_listen)
    wrong.insert(wrong.begin(), "coordinator.listen");
  CHECK(wrong_paths() == wrong);
  give_certificates();
  fleet.coordinator.listen.host = "10.0.0.1";
  CHECK(wrong_paths().empty());
  fleet.hosts[0].tls = {};
  CHECK(wrong_paths() == paths{"hosts[0].tls"});
}

TEST_CASE_METHOD(network_fixture, "certificates without a port are told",
                 "[config][check_network]") {
  give_certificates();
  CHECK(wrong_paths() == paths{"coordinator.listen"});
}

TEST_CASE_METHOD(network_fixture, "nobody can dial a wildcard",
                 "[config][check_network]") {
  give_certificates();
  fleet.coordinator.listen.host = "0.0.0.0";
  fleet.hosts[0].address = "::";
  CHECK(wrong_paths() == paths{"coordinator.listen", "hosts[0].address"});
}
