// SPDX-License-Identifier: Apache-2.0
// The kernel's packet filter, by libnftables, in the network namespace of the
// calling thread. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// Runs commands of nft(8) as one transaction: all or none. io_failed has the
/// kernel's reason, not_permitted without CAP_NET_ADMIN, unsupported where the
/// kernel has no nf_tables. The library runs in a child of its own, which is
/// all that it can end. Thread-safe.
status load_rules(const std::string& commands);

/// The names of all tables of the family inet.
expected<std::vector<std::string>> rule_tables();

} // namespace forkfleet
