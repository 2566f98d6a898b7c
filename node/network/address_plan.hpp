// SPDX-License-Identifier: Apache-2.0
// Pure: the names and addresses of one sandbox' network. Within, every child
// of a snapshot has the addresses that its memory knows; outside, each has one
// of its host's range.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "actors/ids.hpp"
#include "actors/network_protocol.hpp"
#include "config/egress_rule.hpp"

namespace forkfleet {

/// The guest's side, the same in every namespace: what a snapshot's memory
/// knows stays right in all of its children.
inline constexpr const char* guest_gateway = "169.254.77.1";
inline constexpr const char* guest_address = "169.254.77.2";
inline constexpr unsigned guest_prefix = 29;
inline constexpr const char* guest_mac = "02:66:66:00:00:02";
inline constexpr const char* gateway_mac = "02:66:66:00:00:01";
inline constexpr const char* tap_name = "tap0";
inline constexpr const char* inner_name = "eth0";

/// Of a link between a host and a sandbox: pairs as of RFC 3021.
inline constexpr unsigned pair_prefix = 31;

/// Gives `x` its names and the lowest free pair of `range`, for what lies at
/// `place` of the node whose data directory is `data`. `taken` has addresses
/// of sandboxes. host_full when there is none.
status plan_addresses(sandbox_network& x, const ipv4_network& range,
                      const std::set<uint32_t>& taken, std::string_view data,
                      const sandbox_id& place);

/// Whether a link of this host leads to a sandbox, of whichever node.
bool is_network_link(std::string_view name);

/// What the names of a node's things begin with; the sandbox' own hash is
/// behind it, and all is no longer than the kernel takes for an interface.
std::string network_prefix(std::string_view data);

} // namespace forkfleet
