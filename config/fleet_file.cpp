// SPDX-License-Identifier: Apache-2.0
#include "config/fleet_file.hpp"

#include <charconv>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/address.hpp"

namespace forkfleet::config {

using schema::fault;
using schema::in_quotes;

bool endpoint::is_loopback() const {
  return is_loopback_host(host);
}

std::string endpoint::to_string() const {
  if (empty())
    return {};
  const bool is_v6 = host.find(':') != host.npos;
  return is_v6 ? fmt::format("[{}]:{}", host, port)
               : fmt::format("{}:{}", host, port);
}

schema::notation_about notation_of(const byte_size&) {
  return {"size", schema::bytes_pattern, "512MiB"};
}

std::string to_text(const byte_size& x) {
  return schema::format_bytes(x.value);
}

fault from_text(std::string_view text, byte_size& x) {
  const auto parsed = schema::parse_bytes(text);
  if (!parsed)
    return parsed.error();
  x.value = *parsed;
  return {};
}

schema::notation_about notation_of(const endpoint&) {
  return {"endpoint", "^((\\[[0-9A-Fa-f:.]+\\]|[0-9A-Za-z._-]+):[0-9]{1,5})?$",
          "127.0.0.1:7711"};
}

std::string to_text(const endpoint& x) {
  return x.to_string();
}

fault from_text(std::string_view text, endpoint& x) {
  constexpr std::string_view hint = "HOST:PORT, or [ADDRESS]:PORT for IPv6";
  if (text.empty()) {
    x = {};
    return {};
  }
  const auto colon = text.rfind(':');
  if (colon == text.npos)
    return {fmt::format("{} has no port", in_quotes(text)), std::string{hint}};
  auto host = text.substr(0, colon);
  const bool bracketed =
    host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  const bool is_v6 = host.find(':') != host.npos;
  if (!is_host(host) || bracketed != is_v6)
    return {fmt::format("{} is not an endpoint", in_quotes(text)),
            std::string{hint}};
  unsigned port = 0;
  const auto digits = text.substr(colon + 1);
  const auto* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc{} || rest != end || port == 0 || port > 65535)
    return {fmt::format("{} is not a port", in_quotes(digits)), "1 to 65535"};
  x = {std::string{host}, static_cast<uint16_t>(port)};
  return {};
}

} // namespace forkfleet::config
