// SPDX-License-Identifier: Apache-2.0
#include "node/network/address_plan.hpp"

#include <fmt/format.h>

namespace forkfleet {

namespace {

/// FNV-1a, folded.
uint32_t name_hash(std::string_view text) {
  uint64_t result = 0xcbf29ce484222325u;
  for (const char c : text)
    result = (result ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<uint32_t>(result ^ result >> 32);
}

} // namespace

std::string network_prefix(std::string_view data) {
  return fmt::format("ff{:05x}", name_hash(data) & 0xfffff);
}

bool is_network_link(std::string_view name) {
  return name.size() == 15 && name.starts_with("ff")
         && name.find_first_not_of("0123456789abcdef", 2) == name.npos;
}

status plan_addresses(sandbox_network& x, const ipv4_network& range,
                      const std::set<uint32_t>& taken, std::string_view data,
                      const sandbox_id& place) {
  for (uint64_t at = 0; at + 1 < range.size(); at += 2) {
    const auto host = static_cast<uint32_t>(range.address + at);
    if (taken.contains(host + 1))
      continue;
    x.space =
      fmt::format("{}{:08x}", network_prefix(data), name_hash(place.value));
    x.host_address = address_text(host);
    x.address = address_text(host + 1);
    return {};
  }
  return fail(ec::host_full,
              fmt::format("all {} address pairs of {} are taken; give "
                          "hosts[].network_range in the fleet file more",
                          range.size() / 2, to_string(range)));
}

} // namespace forkfleet
