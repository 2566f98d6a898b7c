// SPDX-License-Identifier: Apache-2.0
// One listening port of the guard.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>

#include "actors/link/asio.hpp"
#include "actors/link/deadline.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/guard_core.hpp"
#include "actors/link/tls.hpp"

namespace forkfleet {

/// Opened on any thread, used on the guard's thread after that. Keeps itself
/// alive until it is closed.
class listener : public std::enable_shared_from_this<listener> {
public:
  /// A connection, and the context for its TLS; null on a plain port.
  using accepted = std::function<void(tcp::socket, const tls_context&)>;

  listener(guard_core& core, asio::io_context& io, accepted then);

  /// Binds and listens. `where.host` is an address or "localhost"; without
  /// TLS it must be loopback.
  expected<uint16_t> open(const link_endpoint& where, const tls_material& tls);

  void start();
  void close();

private:
  using file_times = std::array<std::filesystem::file_time_type, 3>;

  void on_accepted(const error_code& x, tcp::socket socket);
  void renew_context();
  file_times times_of_files() const;

  guard_core& core_;
  asio::io_context& io_;
  tcp::acceptor acceptor_;
  deadline pause_;
  accepted then_;
  tls_material tls_;
  file_times times_ = {};
  tls_context context_;
};

} // namespace forkfleet
