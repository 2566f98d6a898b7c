// SPDX-License-Identifier: Apache-2.0
// Pure: the names and addresses of one sandbox' network. Within, every child
// of a snapshot has the addresses that its memory knows; outside, each has one
// of the host's range.
#pragma once

#include <set>

#include "actors/ids.hpp"
#include "node/network/egress_rule.hpp"

namespace forkfleet {

/// The guest's side, the same in every namespace: what a snapshot's memory
/// knows stays right in all of its children.
inline constexpr uint32_t guest_gateway = 0xa9fe4d01; // 169.254.77.1
inline constexpr uint32_t guest_address = 0xa9fe4d02; // 169.254.77.2
inline constexpr unsigned guest_prefix = 30;
inline constexpr const char* guest_mac = "02:66:66:00:00:02";
inline constexpr const char* tap_name = "tap0";
inline constexpr const char* inner_name = "eth0";

/// One sandbox' network, as its record remembers it.
struct network_plan {
  std::string space = {}; // the network namespace
  std::string outer = {}; // the veth's end on the host
  uint32_t host_address = 0;
  uint32_t outside_address = 0; // what the sandbox is told apart by

  friend bool operator==(const network_plan&, const network_plan&) = default;
};

/// The lowest free pair of `range`, for `id` of the node whose data directory
/// is `data`. `taken` has outside addresses. host_full when there is none.
expected<network_plan> plan_network(const ipv4_network& range,
                                    const std::set<uint32_t>& taken,
                                    std::string_view data,
                                    const sandbox_id& id);

/// What the names of a node's things begin with: no longer than the kernel
/// takes for an interface, with the sandbox' own hash behind it.
std::string network_prefix(std::string_view data);

} // namespace forkfleet
