// SPDX-License-Identifier: Apache-2.0
#include "node/network/nft_rules.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("what is not allowed is dropped", "[node][network][safety]") {
  const auto plan = sandbox_network{
    .address = "10.99.0.1",
    .egress = {"10.0.0.0/8:80", "192.0.2.1", "169.254.169.254:80"}};
  const auto text = space_rules(plan).value();
  CHECK(text.find("hook forward priority 0; policy drop;") != text.npos);
  CHECK(text.find("hook input priority 0; policy drop;") != text.npos);
  CHECK(text.find("ip daddr 10.0.0.0/8 tcp dport 80 accept") != text.npos);
  CHECK(text.find("ip daddr 192.0.2.1/32 accept") != text.npos);
  CHECK(text.find("snat ip to 10.99.0.1") != text.npos);
  // What leads to a cloud's secrets must be named.
  const auto named = text.find("ip daddr 169.254.169.254/32");
  const auto closed = text.find("ip daddr 169.254.0.0/16 drop");
  CHECK(named < closed);
  CHECK(closed < text.find("ip daddr 10.0.0.0/8"));
  CHECK_FALSE(space_rules({.egress = {"everything"}}));
}
