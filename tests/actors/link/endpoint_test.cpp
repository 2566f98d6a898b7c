// SPDX-License-Identifier: Apache-2.0
#include "actors/link/endpoint.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("an endpoint reads as people write it", "[actors][endpoint]") {
  CHECK(to_string(link_endpoint{"127.0.0.1", 7071}) == "127.0.0.1:7071");
  CHECK(to_string(link_endpoint{"c.fleet.example", 1}) == "c.fleet.example:1");
  CHECK(to_string(link_endpoint{"::1", 7071}) == "[::1]:7071");
}

TEST_CASE("only what is loopback for certain counts as loopback",
          "[actors][endpoint][safety]") {
  for (const auto* host : {"127.0.0.1", "127.9.8.7", "::1", "localhost"})
    CHECK(is_loopback(host));
  for (const auto* host :
       {"", "0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example", "127.1",
        "localhost.example", "LOCALHOST", "fe80::1", "10.0.0.1", " 127.0.0.1"})
    CHECK_FALSE(is_loopback(host));
}
