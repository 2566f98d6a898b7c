// SPDX-License-Identifier: Apache-2.0
// Links and addresses by rtnetlink, in the network namespace of the calling
// thread. What is there already is taken as it is: each call may be repeated.
// Errors are io_failed with the kernel's reason, not_permitted without
// CAP_NET_ADMIN. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// An IPv4 address of this namespace.
struct link_address {
  std::string link = {};
  std::string address = {};
};

/// The kernel's number of a link, which no later one of its name has; 0: no
/// link has this name.
expected<unsigned> find_link(const std::string& name);

/// The names of all links.
expected<std::vector<std::string>> link_names();

/// Every IPv4 address, in no order.
expected<std::vector<link_address>> link_addresses();

/// Makes a pair: `outer` here, `inner` in the namespace at `space`.
status make_pair(const std::string& outer, const std::string& inner,
                 const std::string& space);

/// Makes a tap that stays without a process, and ends with its namespace.
status make_tap(const std::string& name);

/// Gives a link this Ethernet address.
status set_mac(const std::string& name, const std::string& mac);

/// Gives a link this IPv4 address and no other, and sets it up.
status set_up_link(const std::string& name, const std::string& address,
                   unsigned prefix);

/// Sets up a link that has its address.
status set_up_link(const std::string& name);

/// Sends everything that has no nearer way over `gateway` on `link`.
status set_default_route(const std::string& gateway, const std::string& link);

/// Also correct when there is none.
status remove_link(const std::string& name);

/// Has the kernel pass on IPv4 packets between links.
status allow_forwarding();

} // namespace forkfleet
