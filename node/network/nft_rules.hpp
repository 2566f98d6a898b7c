// SPDX-License-Identifier: Apache-2.0
// Pure: rules for nft(8). Within a sandbox' network namespace nothing leaves
// but what is allowed; on its host nobody is routed to a sandbox.
#pragma once

#include <vector>

#include "node/network/address_plan.hpp"

namespace forkfleet {

/// The table's name in every namespace.
inline constexpr const char* rules_table = "forkfleet";

/// The whole ruleset of one sandbox' namespace; loaded in one transaction, it
/// replaces an older one. invalid_request for an entry of `egress` that is
/// none.
expected<std::string> space_rules(const sandbox_network& x);

/// The host's table of one node, named by its prefix: what leaves the host
/// has the host's address, and only the host itself opens connections to
/// sandboxes.
std::string host_rules(const std::string& prefix, const ipv4_network& range);

/// Removes a table of the host, and does no harm when there is none.
std::string drop_host_rules(const std::string& prefix);

} // namespace forkfleet
