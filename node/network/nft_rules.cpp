// SPDX-License-Identifier: Apache-2.0
#include "node/network/nft_rules.hpp"

#include <fmt/format.h>

namespace forkfleet {

namespace {

constexpr ipv4_network link_local{.address = 0xa9fe0000, .prefix = 16};

bool is_link_local(const ipv4_network& x) {
  return x.prefix >= link_local.prefix
         && (x.address >> 16) == (link_local.address >> 16);
}

std::string accept_line(const egress_rule& x) {
  const auto port = x.port == 0
                      ? std::string{}
                      : fmt::format(" {} dport {}", x.protocol, x.port);
  return fmt::format("    iifname \"{}\" ip daddr {}{} accept\n", tap_name,
                     to_string(x.to), port);
}

/// Where a cloud's metadata service is: no wider network opens the way there.
expected<std::string> accept_lines(const std::vector<std::string>& egress) {
  std::string named;
  std::string others;
  for (const auto& text : egress) {
    const auto rule = parse_egress(text);
    if (!rule)
      return tl::unexpected(rule.error());
    (is_link_local(rule->to) ? named : others) += accept_line(*rule);
  }
  return named + fmt::format("    ip daddr {} drop\n", to_string(link_local))
         + others;
}

/// A table that is not there cannot be deleted: it is made first.
std::string fresh_table(std::string_view name) {
  return fmt::format("table inet {0} {{}}\ndelete table inet {0}\n", name);
}

} // namespace

expected<std::string> space_rules(const sandbox_network& x) {
  const auto accepted = accept_lines(x.egress);
  if (!accepted)
    return tl::unexpected(accepted.error());
  // IPv6 matches no rule, and is dropped.
  constexpr auto text = R"(table inet {table} {{
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "{inner}" ip saddr {host} ip daddr {guest} accept
    iifname "{tap}" ip saddr != {guest} drop
{accepted}  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ip daddr {gateway} icmp type echo-request accept
  }}
  chain prerouting {{
    type nat hook prerouting priority -100;
    iifname "{inner}" ip daddr {address} dnat ip to {guest}
  }}
  chain postrouting {{
    type nat hook postrouting priority 100;
    oifname "{inner}" snat ip to {address}
  }}
}}
)";
  using namespace fmt::literals;
  return fresh_table(rules_table)
         + fmt::format(text, "table"_a = rules_table, "inner"_a = inner_name,
                       "tap"_a = tap_name, "host"_a = x.host_address,
                       "guest"_a = guest_address, "gateway"_a = guest_gateway,
                       "address"_a = x.address, "accepted"_a = *accepted);
}

std::string host_rules(const std::string& prefix, const ipv4_network& range) {
  constexpr auto text = R"(table inet {prefix} {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    oifname "{prefix}*" ct state established,related accept
    oifname "{prefix}*" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority 100;
    ip saddr {range} oifname != "{prefix}*" masquerade
  }}
}}
)";
  using namespace fmt::literals;
  return fresh_table(prefix)
         + fmt::format(text, "prefix"_a = prefix, "range"_a = to_string(range));
}

std::string drop_host_rules(const std::string& prefix) {
  return fresh_table(prefix);
}

} // namespace forkfleet
