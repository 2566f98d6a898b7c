// SPDX-License-Identifier: Apache-2.0
#include "actors/link/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace forkfleet {

std::string to_string(const link_endpoint& x) {
  if (!x.socket.empty())
    return "unix:" + x.socket;
  const auto is_v6 = x.host.find(':') != std::string::npos;
  return (is_v6 ? '[' + x.host + ']' : x.host) + ':' + std::to_string(x.port);
}

bool is_loopback(std::string_view host) {
  if (host == "localhost")
    return true;
  const auto text = std::string{host};
  auto v4 = in_addr{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24) == 127;
  auto v6 = in6_addr{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1
         && IN6_IS_ADDR_LOOPBACK(&v6);
}

} // namespace forkfleet
