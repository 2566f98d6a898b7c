// SPDX-License-Identifier: Apache-2.0
// Pure: the rules of one sandbox' network namespace, for nft -f: nothing
// leaves it but what is allowed, and its guest is known outside by one
// address.
#pragma once

#include <vector>

#include "node/network/address_plan.hpp"

namespace forkfleet {

/// The table's name in every namespace.
inline constexpr const char* rules_table = "forkfleet";

/// The whole ruleset; loaded in one transaction, it replaces an older one.
std::string nft_rules(const network_plan& plan,
                      const std::vector<egress_rule>& allowed);

} // namespace forkfleet
