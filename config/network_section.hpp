// SPDX-License-Identifier: Apache-2.0
// How a sandbox is connected, in the fleet file. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/network_protocol.hpp"

namespace forkfleet::config {

/// The network of one sandbox and of all its children.
struct network_section {
  network_mode mode = network_mode::none;
  std::vector<std::string> egress = {};

  friend bool operator==(const network_section&,
                         const network_section&) = default;
  static constexpr schema::about about{
    "network", "How one sandbox is connected, and its children. Its guest is "
               "169.254.77.2/29, the gateway 169.254.77.1."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("mode", &network_section::mode,
            "none, auto, namespace or user. namespace: an address of its own "
            "on the host, by which the host reaches it; needs root. user: "
            "through QEMU's process, without an address. auto: namespace "
            "where the node may, else user, and its note tells."),
      field("egress", &network_section::egress,
            "What its guest may reach, at most 64: CIDR[:PORT[/PROTOCOL]]; "
            "all else is dropped. In user mode 0.0.0.0/0 is all, and "
            "anything less is nothing."),
    };
  }
};

} // namespace forkfleet::config
