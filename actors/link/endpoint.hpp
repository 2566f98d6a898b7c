// SPDX-License-Identifier: Apache-2.0
// Where a program listens or dials, and with which certificates. Knows
// neither CAF nor OpenSSL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace forkfleet {

/// A host (name or address, without brackets) and a TCP port; or the path of
/// a Unix socket, and then neither.
struct link_endpoint {
  std::string host = {};
  uint16_t port = 0;
  std::string socket = {};

  friend bool operator==(const link_endpoint&, const link_endpoint&) = default;
};

/// "host:port", an IPv6 address in brackets; "unix:/path".
std::string to_string(const link_endpoint& x);

/// Whether `host` is a loopback address or "localhost". Any other name is
/// not, whatever it resolves to.
bool is_loopback(std::string_view host);

/// Paths of PEM files, all three or none; without them, what both sides
/// prove themselves by at a loopback port.
struct tls_material {
  /// Who must have issued the other side's certificate.
  std::string authority = {};
  std::string certificate = {};
  std::string key = {};
  /// Without TLS: of who dials, the file of his token; of who listens, the
  /// directory of all tokens. A Unix socket needs none.
  std::string token = {};

  /// No TLS; allowed on loopback and Unix sockets alone.
  bool empty() const {
    return authority.empty() && certificate.empty() && key.empty();
  }
};

} // namespace forkfleet
