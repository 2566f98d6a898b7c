// SPDX-License-Identifier: Apache-2.0
#include "actors/link/access_list.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("an entry names a client, a node, a token or a serial number",
          "[actors][access_list]") {
  for (const auto* good : {"client:ann", "node:h1", "token:bob", "serial:0a1b",
                           "serial:0A:1B", "serial:0"})
    CHECK(is_denial(good));
  for (const auto* bad :
       {"", "ann", "client:", "client:a b", "serial:", "serial:xyz", "uid:0",
        "coordinator", "Client:ann", "serial:::"})
    CHECK_FALSE(is_denial(bad));
}

TEST_CASE("who is named is denied, and nobody else",
          "[actors][access_list][safety]") {
  auto unit = access_list{};
  CHECK_FALSE(unit.is_denied({.name = "client:ann", .serial = "0A1B"}));
  unit.deny({"client:ann", "no entry"});
  CHECK(unit.is_denied({.name = "client:ann", .serial = "0A1B"}));
  CHECK_FALSE(unit.is_denied({.name = "client:annabel", .serial = "0A1B"}));
  CHECK_FALSE(unit.is_denied({.name = "no entry"}));
  unit.deny({});
  CHECK_FALSE(unit.is_denied({.name = "client:ann", .serial = "0A1B"}));
}

TEST_CASE("a serial number is the same however it is written",
          "[actors][access_list][safety]") {
  auto unit = access_list{};
  unit.deny({"serial:00:a1:b2"});
  CHECK(unit.is_denied({.name = "client:ann", .serial = "A1B2"}));
  CHECK(unit.is_denied({.name = "client:ann", .serial = "0A1B2"}));
  CHECK_FALSE(unit.is_denied({.name = "client:ann", .serial = "A1B20"}));
  CHECK_FALSE(unit.is_denied({.name = "uid:0", .serial = ""}));
}
