// SPDX-License-Identifier: Apache-2.0
#include "actors/client.hpp"

#include <catch2/catch.hpp>

#include "tests/support/link_fixture.hpp"
#include "tests/support/pki_fixture.hpp"
#include "tests/support/raw_port.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("a connection that fails names the whole time that it was tried",
          "[actors][client]") {
  auto ours = test::authority{};
  const auto silent = test::raw_port{};
  // More than one dial: the first of them ends at its own limit.
  auto tool = test::make_client(silent.number(), ours.client("ann"), 5600ms);
  const auto found = tool.connect();
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::deadline_exceeded);
  CHECK(found.error().message.find("within 5600 ms") != std::string::npos);
}

TEST_CASE("a connection that fails names what the dials met",
          "[actors][client]") {
  const auto port = test::raw_port{}.number();
  auto tool = test::make_client(port, {}, 500ms);
  const auto found = tool.connect();
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::node_down);
  CHECK(found.error().message.find("refused") != std::string::npos);
}
