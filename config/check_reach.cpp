// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "config/address.hpp"
#include "config/check.hpp"
#include "config/egress_rule.hpp"

namespace forkfleet::config {

namespace {

constexpr unsigned range_widest = 8;
constexpr unsigned range_narrowest = 30;
constexpr std::size_t egress_max = 64;

std::string range_path(std::size_t host) {
  return fmt::format("hosts[{}].network_range", host);
}

void check_range(checker& run, std::size_t i) {
  const auto& text = run.fleet.hosts[i].network_range;
  if (text.empty())
    return;
  const auto range = parse_network(text);
  if (!range)
    return run.report(range_path(i), range.error().message,
                      "such as 10.213.0.0/20");
  if (range->prefix < range_widest || range->prefix > range_narrowest)
    run.report(range_path(i),
               fmt::format("must be a network of /{} to /{}, not /{}",
                           range_widest, range_narrowest, range->prefix));
}

bool overlap(const ipv4_network& x, const ipv4_network& y) {
  return contains(x, y.address) || contains(y, x.address);
}

/// Hosts that are one machine, by all that the file tells.
bool share_machine(const host_section& x, const host_section& y) {
  const auto is_here = [](const host_section& host) {
    return host.address.empty() || is_loopback_host(host.address);
  };
  return x.address == y.address || (is_here(x) && is_here(y));
}

void check_overlap(checker& run, std::size_t i) {
  const auto& hosts = run.fleet.hosts;
  const auto range = parse_network(hosts[i].network_range);
  for (std::size_t j = 0; j < i && range; ++j) {
    const auto other = parse_network(hosts[j].network_range);
    if (other && share_machine(hosts[i], hosts[j]) && overlap(*range, *other)
        && (run.is_given(range_path(i)) || run.is_given(range_path(j))))
      return run.report(range_path(i),
                        fmt::format("{} overlaps with {}, {}",
                                    to_string(*range), range_path(j),
                                    to_string(*other)),
                        "the two hosts are one machine", range_path(j));
  }
}

void check_sandbox(checker& run, std::size_t i) {
  const auto& x = run.fleet.sandboxes[i].network;
  const auto path = fmt::format("sandboxes[{}].network", i);
  if (x.egress.size() > egress_max)
    run.report(path + ".egress",
               fmt::format("{} entries are too many", x.egress.size()),
               fmt::format("at most {}", egress_max));
  for (std::size_t j = 0; j < x.egress.size(); ++j)
    if (const auto rule = parse_egress(x.egress[j]); !rule)
      run.report(fmt::format("{}.egress[{}]", path, j), rule.error().message,
                 "CIDR[:PORT[/PROTOCOL]], such as 192.0.2.0/24:443");
  if (x.mode == network_mode::none && !x.egress.empty())
    run.report(path + ".egress", "has no meaning without a network",
               "give network.mode, such as auto");
  if (x.mode == network_mode::user && !x.egress.empty()
      && !reaches_all(x.egress))
    run.report(path + ".egress",
               "user-mode networking can keep to no list: it is 0.0.0.0/0, "
               "or nothing is reached",
               "network.mode: namespace keeps to it");
}

} // namespace

void check_reach(checker& run) {
  for (std::size_t i = 0; i < run.fleet.hosts.size(); ++i) {
    check_range(run, i);
    check_overlap(run, i);
  }
  for (std::size_t i = 0; i < run.fleet.sandboxes.size(); ++i)
    check_sandbox(run, i);
}

} // namespace forkfleet::config
