// SPDX-License-Identifier: Apache-2.0
#include "coordinator/doors.hpp"

#include <cstdlib>
#include <filesystem>

#include <catch2/catch.hpp>

#include "actors/link/token_proof.hpp"

using namespace forkfleet;

TEST_CASE("without a port there is the socket alone",
          "[coordinator][doors][safety]") {
  auto fleet = config::fleet_file{};
  fleet.coordinator.data = "/data";
  const auto doors = doors_of(fleet);
  REQUIRE(doors.size() == 1);
  CHECK(doors[0].where == link_endpoint{{}, 0, "/data/door"});
}

TEST_CASE("a port without certificates takes tokens",
          "[coordinator][doors][safety]") {
  auto fleet = config::fleet_file{};
  fleet.coordinator.data = "/data";
  fleet.coordinator.listen = {"127.0.0.1", 7711};
  const auto doors = doors_of(fleet);
  REQUIRE(doors.size() == 2);
  CHECK(doors[1].where == link_endpoint{"127.0.0.1", 7711, {}});
  CHECK(doors[1].proof.token == "/data/tokens");
  CHECK(doors[1].proof.empty());
}

TEST_CASE("with certificates there is the port alone",
          "[coordinator][doors][safety]") {
  auto fleet = config::fleet_file{};
  fleet.coordinator.listen = {"10.0.0.1", 7711};
  fleet.coordinator.tls = {"ca", "crt", "key"};
  const auto doors = doors_of(fleet);
  REQUIRE(doors.size() == 1);
  CHECK(doors[0].where == link_endpoint{"10.0.0.1", 7711, {}});
  CHECK(doors[0].proof.key == "key");
  CHECK_FALSE(prepare_doors(fleet));
}

TEST_CASE("the owner's token is made once", "[coordinator][doors]") {
  auto name = std::string{"/tmp/forkfleet-doors-XXXXXX"};
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  auto fleet = config::fleet_file{};
  fleet.coordinator.data = name;
  REQUIRE(prepare_doors(fleet));
  const auto path = token_path(config::token_directory(fleet), "owner");
  const auto first = read_token(path);
  REQUIRE(first);
  CHECK(first->role == access_role::admin);
  REQUIRE(prepare_doors(fleet));
  CHECK(read_token(path)->secret == first->secret);
  std::filesystem::remove_all(name);
}
