// SPDX-License-Identifier: Apache-2.0
// A peer with a certificate of the fleet that means harm: a TLS connection to
// a coordinator of this machine, used by hand, frame by frame.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/link/endpoint.hpp"
#include "actors/link/frame.hpp"
#include "actors/link/owned_fd.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace forkfleet::test {

class tls_peer {
public:
  /// Connects to 127.0.0.1:`port` with this certificate. Waits end by
  /// themselves, after five seconds.
  tls_peer(uint16_t port, const tls_material& files);
  /// Connects, and says nothing.
  explicit tls_peer(uint16_t port);
  ~tls_peer();
  tls_peer(const tls_peer&) = delete;
  tls_peer& operator=(const tls_peer&) = delete;

  /// False when the other side has closed, or does not read any more.
  bool send(std::string_view bytes);
  /// Introduces itself as the program `node`.
  bool greet(const std::string& node);
  /// The next frame that comes; false when none comes.
  bool receive(frame_header& head, std::string& payload);
  /// Whether the other side closes within the limit of waits.
  bool is_closed();

  const std::string& server_node() const { return server_node_; }
  uint64_t served_actor() const { return served_actor_; }

private:
  bool read_all(char* into, std::size_t bytes);

  owned_fd socket_;
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;
  bool is_up_ = false;
  std::string server_node_;
  uint64_t served_actor_ = 0;
};

} // namespace forkfleet::test
