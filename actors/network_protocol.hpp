// SPDX-License-Identifier: Apache-2.0
// How a sandbox is connected: in which mode, where, and what it may reach.
// Structs only; knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// How a sandbox' guest is connected.
enum class network_mode : uint8_t { none, automatic, isolated, user };

constexpr auto enum_table(network_mode) {
  using enum network_mode;
  return std::to_array<schema::enum_entry<network_mode>>({
    {none, "none", "it has no network device"},
    {automatic, "auto", "namespace where its node may, else user"},
    {isolated, "namespace",
     "a network namespace and an address of its own on the host"},
    {user, "user",
     "through its VMM's process: no address of its own, and all or nothing "
     "may be reached"},
  });
}

/// The network of one sandbox. In all modes its guest is 169.254.77.2/29 and
/// its gateway 169.254.77.1.
struct sandbox_network {
  network_mode mode = network_mode::none; // never `auto` once it is made
  std::string space = {};
  std::string address = {};
  std::string host_address = {};
  std::vector<std::string> egress = {};
  std::string note = {};

  friend bool operator==(const sandbox_network&,
                         const sandbox_network&) = default;
  static constexpr schema::about about{"sandbox_network",
                                       "The network of one sandbox."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("mode", &sandbox_network::mode, "How its guest is connected."),
      field("space", &sandbox_network::space,
            "Its network namespace, and its link on the host; empty: none."),
      field("address", &sandbox_network::address,
            "By which its host reaches it, and which others see."),
      field("host_address", &sandbox_network::host_address,
            "Its host, as it is reached from it."),
      field("egress", &sandbox_network::egress,
            "What it may reach, CIDR[:PORT[/PROTOCOL]] each; all else is "
            "dropped."),
      field("note", &sandbox_network::note,
            "What is not as it was asked for, and why."),
    };
  }
};

} // namespace forkfleet
