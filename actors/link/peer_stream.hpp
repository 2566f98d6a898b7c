// SPDX-License-Identifier: Apache-2.0
// A connection to another program, plain or TLS, behind one face.
#pragma once

#include <functional>
#include <memory>

#include "actors/link/asio.hpp"
#include "actors/link/tls.hpp"

namespace forkfleet {

/// Used on the guard's thread alone. At most one read and one write at a
/// time; the object outlives them.
class peer_stream {
public:
  using done = std::function<void(error_code, std::size_t)>;
  using handshake_done = std::function<void(error_code)>;

  explicit peer_stream(net_socket socket);

  /// All that follows goes through TLS, once the handshake is done.
  void secure(const tls_context& context);
  bool is_secure() const { return tls_ != nullptr; }
  /// Only when secure.
  SSL* native_tls() { return tls_->native_handle(); }

  void shake_hands(bool as_server, handshake_done then);
  /// Reads at least one byte.
  void read(asio::mutable_buffer into, done then);
  /// Reads as many as there is room for.
  void read_all(asio::mutable_buffer into, done then);
  /// Writes all.
  void write(asio::const_buffer from, done then);

  /// What is in flight ends with an error.
  void close();

  /// The other side's address and our own, for people; of a Unix socket
  /// "local".
  const std::string& peer() const { return peer_; }
  const std::string& own() const { return own_; }

private:
  net_socket socket_;
  std::string peer_;
  std::string own_;
  tls_context context_;
  std::unique_ptr<asio::ssl::stream<net_socket&>> tls_;
};

} // namespace forkfleet
