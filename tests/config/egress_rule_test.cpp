// SPDX-License-Identifier: Apache-2.0
#include "config/egress_rule.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

std::string refusal(std::string_view text) {
  const auto x = parse_egress(text);
  return x ? std::string{} : x.error().message;
}

} // namespace

TEST_CASE("a network survives text", "[config][egress_rule]") {
  const auto* text = GENERATE("10.99.0.0/16", "0.0.0.0/0", "1.2.3.4/32");
  const auto x = parse_network(text);
  REQUIRE(x);
  CHECK(to_string(*x) == text);
}

TEST_CASE("what is no rule is refused", "[config][egress_rule]") {
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
