// SPDX-License-Identifier: Apache-2.0
#include "node/network/nft_rules.hpp"

#include <fmt/format.h>

namespace forkfleet {

namespace {

std::string accept_line(const egress_rule& x) {
  const auto port = x.port == 0
                      ? std::string{}
                      : fmt::format(" {} dport {}", x.protocol, x.port);
  return fmt::format("    iifname \"{}\" ip daddr {}{} accept\n", tap_name,
                     to_string(x.to), port);
}

} // namespace

std::string nft_rules(const network_plan& plan,
                      const std::vector<egress_rule>& allowed) {
  // The first line makes a table that the second may remove.
  auto text = fmt::format("table ip {0} {{}}\n"
                          "delete table ip {0}\n"
                          "table ip {0} {{\n"
                          "  chain forward {{\n"
                          "    type filter hook forward priority 0; policy "
                          "drop;\n"
                          "    ct state established,related accept\n",
                          rules_table);
  for (const auto& x : allowed)
    text += accept_line(x);
  // The guest reaches nothing of the namespace itself either.
  text +=
    fmt::format("  }}\n"
                "  chain input {{\n"
                "    type filter hook input priority 0; policy drop;\n"
                "    iifname \"{}\" icmp type echo-request ip daddr {} accept\n"
                "  }}\n"
                "  chain postrouting {{\n"
                "    type nat hook postrouting priority 100;\n"
                "    oifname \"{}\" snat to {}\n"
                "  }}\n"
                "}}\n",
                tap_name, address_text(guest_gateway), inner_name,
                address_text(plan.outside_address));
  return text;
}

} // namespace forkfleet
