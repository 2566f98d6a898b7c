// SPDX-License-Identifier: Apache-2.0
#include "node/network/address_plan.hpp"

#include <fmt/format.h>

namespace forkfleet {

namespace {

/// FNV-1a, folded.
uint32_t hash_of(std::string_view text) {
  uint64_t result = 0xcbf29ce484222325u;
  for (const char c : text)
    result = (result ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<uint32_t>(result ^ result >> 32);
}

} // namespace

std::string network_prefix(std::string_view data) {
  return fmt::format("ff-{:04x}", hash_of(data) & 0xffff);
}

expected<network_plan> plan_network(const ipv4_network& range,
                                    const std::set<uint32_t>& taken,
                                    std::string_view data,
                                    const sandbox_id& id) {
  const auto name =
    fmt::format("{}{:08x}", network_prefix(data), hash_of(id.value));
  // Pairs as of RFC 3021: no address is lost to broadcasts.
  for (uint64_t at = 0; at + 1 < range.size(); at += 2) {
    const auto host = static_cast<uint32_t>(range.address + at);
    if (!taken.contains(host + 1))
      return network_plan{.space = name,
                          .outer = name,
                          .host_address = host,
                          .outside_address = host + 1};
  }
  return fail(ec::host_full,
              fmt::format("all {} address pairs of {} are taken; give "
                          "network.range in the fleet file more",
                          range.size() / 2, to_string(range)));
}

} // namespace forkfleet
