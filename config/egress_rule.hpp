// SPDX-License-Identifier: Apache-2.0
// Pure: what a sandbox may reach, as the fleet file writes it:
// CIDR[:PORT[/PROTOCOL]].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// An IPv4 network. `address` has no bits beyond the prefix.
struct ipv4_network {
  uint32_t address = 0; // in host order
  unsigned prefix = 32;

  /// How many addresses it has.
  uint64_t size() const { return uint64_t{1} << (32 - prefix); }
  friend bool operator==(const ipv4_network&, const ipv4_network&) = default;
};

/// "10.99.0.0/16"; an address alone is a network of one. invalid_request tells
/// what is wrong, also that bits are set beyond the prefix.
expected<ipv4_network> parse_network(std::string_view text);

std::string address_text(uint32_t address);
std::string to_string(const ipv4_network& x);

bool contains(const ipv4_network& x, uint32_t address);

/// One entry of the allow list.
struct egress_rule {
  ipv4_network to = {};
  uint16_t port = 0;         // 0: every one
  std::string protocol = {}; // tcp or udp; empty without a port: all

  friend bool operator==(const egress_rule&, const egress_rule&) = default;
};

/// Without a protocol a port is tcp's.
expected<egress_rule> parse_egress(std::string_view text);

/// Whether one of these entries is the whole of IPv4, on every port.
bool reaches_all(const std::vector<std::string>& egress);

} // namespace forkfleet
