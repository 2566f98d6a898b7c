// SPDX-License-Identifier: Apache-2.0
#include "config/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <optional>
#include <string>

namespace forkfleet::config {

namespace {

std::optional<in_addr> to_v4(std::string_view text) {
  in_addr result{};
  if (inet_pton(AF_INET, std::string{text}.c_str(), &result) != 1)
    return std::nullopt;
  return result;
}

std::optional<in6_addr> to_v6(std::string_view text) {
  in6_addr result{};
  if (inet_pton(AF_INET6, std::string{text}.c_str(), &result) != 1)
    return std::nullopt;
  return result;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_edge(char c) {
  return c == '.' || c == '-';
}

} // namespace

bool is_ip_address(std::string_view text) {
  // A NUL would end the C string early.
  return text.find('\0') == text.npos && (to_v4(text) || to_v6(text));
}

bool is_host(std::string_view text) {
  constexpr std::size_t length_max = 253;
  if (is_ip_address(text))
    return true;
  if (text.empty() || text.size() > length_max || is_edge(text.front())
      || is_edge(text.back()))
    return false;
  const bool numeric = text.find_first_not_of("0123456789.") == text.npos;
  return !numeric && std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_loopback_host(std::string_view text) {
  if (text == "localhost")
    return true;
  if (!is_ip_address(text))
    return false;
  if (const auto v4 = to_v4(text))
    return ntohl(v4->s_addr) >> 24 == 127;
  const auto v6 = to_v6(text);
  return IN6_IS_ADDR_LOOPBACK(&*v6) != 0;
}

bool is_wildcard_host(std::string_view text) {
  if (!is_ip_address(text))
    return false;
  if (const auto v4 = to_v4(text))
    return v4->s_addr == INADDR_ANY;
  const auto v6 = to_v6(text);
  return IN6_IS_ADDR_UNSPECIFIED(&*v6) != 0;
}

} // namespace forkfleet::config
