// SPDX-License-Identifier: Apache-2.0
#include "node/network/address_plan.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;

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
