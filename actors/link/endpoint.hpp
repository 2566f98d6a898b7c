// SPDX-License-Identifier: Apache-2.0
// Where a program listens or dials, and with which certificates. Knows
// neither CAF nor OpenSSL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace forkfleet {

/// A host (name or address, without brackets) and a TCP port.
struct link_endpoint {
  std::string host;
  uint16_t port = 0;

  friend bool operator==(const link_endpoint&, const link_endpoint&) = default;
};

/// "host:port", an IPv6 address in brackets.
std::string to_string(const link_endpoint& x);

/// Whether `host` is a loopback address or "localhost". Any other name is
/// not, whatever it resolves to.
bool is_loopback(std::string_view host);

/// Paths of PEM files. All three or none.
struct tls_material {
  /// Who must have issued the other side's certificate.
  std::string authority;
  std::string certificate;
  std::string key;

  /// No TLS; allowed on loopback alone.
  bool empty() const {
    return authority.empty() && certificate.empty() && key.empty();
  }
};

} // namespace forkfleet
