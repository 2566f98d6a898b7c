// SPDX-License-Identifier: Apache-2.0
#include "config/egress_rule.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace forkfleet {

namespace {

std::optional<unsigned> number_in(std::string_view text, unsigned most) {
  unsigned result = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, result);
  // 010 is eight for some.
  if (read.ec != std::errc{} || read.ptr != end || result > most
      || (text.size() > 1 && text.front() == '0'))
    return {};
  return result;
}

std::optional<uint32_t> address_in(std::string_view text) {
  uint32_t result = 0;
  for (int part = 0; part < 4; ++part) {
    const auto dot = part < 3 ? text.find('.') : text.size();
    if (dot == text.npos)
      return {};
    const auto number = number_in(text.substr(0, dot), 255);
    if (!number)
      return {};
    result = (result << 8) | *number;
    text.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return result;
}

tl::unexpected<failure> wrong(std::string_view text, std::string_view why) {
  return fail(ec::invalid_request, fmt::format("'{}' {}", text, why));
}

} // namespace

std::string address_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255,
                     address >> 8 & 255, address & 255);
}

std::string to_string(const ipv4_network& x) {
  return fmt::format("{}/{}", address_text(x.address), x.prefix);
}

expected<ipv4_network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = address_in(text.substr(0, slash));
  if (!address)
    return wrong(text, "is no IPv4 address or network");
  auto result = ipv4_network{.address = *address};
  if (slash == text.npos)
    return result;
  const auto prefix = number_in(text.substr(slash + 1), 32);
  if (!prefix)
    return wrong(text, "has no prefix of 0 to 32");
  result.prefix = *prefix;
  if ((*address & (result.size() - 1)) != 0)
    return wrong(text, "has bits beyond its prefix");
  return result;
}

expected<egress_rule> parse_egress(std::string_view text) {
  const auto colon = text.find(':');
  const auto network = parse_network(text.substr(0, colon));
  if (!network)
    return tl::unexpected(network.error());
  auto result = egress_rule{.to = *network};
  if (colon == text.npos)
    return result;
  const auto rest = text.substr(colon + 1);
  const auto slash = rest.find('/');
  const auto port = number_in(rest.substr(0, slash), 65535);
  if (!port || *port == 0)
    return wrong(text, "has no port of 1 to 65535");
  result.port = static_cast<uint16_t>(*port);
  result.protocol =
    slash == rest.npos ? "tcp" : std::string{rest.substr(slash + 1)};
  if (result.protocol != "tcp" && result.protocol != "udp")
    return wrong(text, "has a protocol other than tcp and udp");
  return result;
}

bool contains(const ipv4_network& x, uint32_t address) {
  return address >= x.address && address - x.address < x.size();
}

bool reaches_all(const std::vector<std::string>& egress) {
  return std::ranges::any_of(egress, [](const std::string& text) {
    const auto rule = parse_egress(text);
    return rule && rule->to.prefix == 0 && rule->port == 0;
  });
}

} // namespace forkfleet
