// SPDX-License-Identifier: Apache-2.0
#include <random>

#include <catch2/catch.hpp>

#include "node/network/nft_rules.hpp"

using namespace forkfleet;

namespace {

std::string refusal(std::string_view text) {
  const auto x = parse_egress(text);
  return x ? std::string{} : x.error().message;
}

} // namespace

TEST_CASE("a network survives text", "[node][network]") {
  const auto* text = GENERATE("10.99.0.0/16", "0.0.0.0/0", "1.2.3.4/32");
  const auto x = parse_network(text);
  REQUIRE(x);
  CHECK(to_string(*x) == text);
}

TEST_CASE("what is no rule is refused", "[node][network]") {
  CHECK(parse_egress("10.0.0.1") == egress_rule{.to = {.address = 0x0a000001}});
  CHECK(parse_egress("10.0.0.0/8:53/udp")
        == egress_rule{.to = {.address = 0x0a000000, .prefix = 8},
                       .port = 53,
                       .protocol = "udp"});
  CHECK(parse_egress("10.0.0.1:80")->protocol == "tcp");
  for (const auto* text :
       {"", "10.0.0", "10.0.0.256", "10.0.0.01", "1.2.3.4.5", "a.b.c.d",
        "10.0.0.1/33", "10.0.0.1/8", "10.0.0.1:", "10.0.0.1:0",
        "10.0.0.1:65536", "10.0.0.1:80/", "10.0.0.1:80/icmp", "::1"}) {
    CAPTURE(text);
    CHECK_FALSE(refusal(text).empty());
  }
}

TEST_CASE("no two sandboxes of a host have an address in common",
          "[node][network][property][safety]") {
  std::mt19937_64 dice{41};
  const auto range = parse_network("10.99.0.0/24").value();
  std::set<uint32_t> taken;
  for (int i = 0; i < 2000; ++i) {
    if (dice() % 3 == 0 && !taken.empty()) {
      taken.erase(taken.begin());
      continue;
    }
    auto plan = sandbox_network{};
    const auto found =
      plan_addresses(plan, range, taken, "/data", {"s" + std::to_string(i)});
    if (!found) {
      REQUIRE(found.error().code == ec::host_full);
      REQUIRE(taken.size() == 128);
      continue;
    }
    const auto host = parse_network(plan.host_address).value().address;
    const auto own = parse_network(plan.address).value().address;
    REQUIRE(own == host + 1);
    REQUIRE(contains(range, host));
    REQUIRE(contains(range, own));
    REQUIRE(is_network_link(plan.space));
    REQUIRE(plan.space.size() < 16); // IFNAMSIZ
    REQUIRE(taken.insert(own).second);
    REQUIRE_FALSE(taken.contains(host));
  }
}

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
