// SPDX-License-Identifier: Apache-2.0
// One listening port of the guard.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "actors/link/asio.hpp"
#include "actors/link/deadline.hpp"
#include "actors/link/door.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/guard_core.hpp"
#include "actors/link/tls.hpp"

namespace forkfleet {

/// Opened on any thread, used on the guard's thread after that. Keeps itself
/// alive until it is closed.
class listener : public std::enable_shared_from_this<listener> {
public:
  /// A connection, and how it proves who is at its other end.
  using accepted = std::function<void(net_socket, const door&)>;

  listener(guard_core& core, asio::io_context& io, accepted then);

  /// Binds and listens. `where.host` is an address or "localhost"; without
  /// TLS it must be loopback, and `tls.token` a directory. A socket's path
  /// serves this user and root, and needs neither. Returns the port, 0 for a
  /// socket.
  expected<uint16_t> open(const link_endpoint& where, const tls_material& tls);

  void start();
  void close();

private:
  using file_times = std::array<std::filesystem::file_time_type, 3>;

  status open_port(const link_endpoint& where);
  status open_socket(const std::string& path);
  expected<door_kind> choose_kind(const link_endpoint& where) const;
  void on_accepted(const error_code& x, net_socket socket);
  /// The door for one connection; nothing for who may not come in.
  std::optional<door> admit(net_socket& socket);
  void renew_context();
  file_times times_of_files() const;

  guard_core& core_;
  asio::io_context& io_;
  asio::basic_socket_acceptor<net_protocol> acceptor_;
  deadline pause_;
  accepted then_;
  tls_material tls_;
  door_kind kind_ = door_kind::open;
  file_times times_ = {};
  tls_context context_;
};

} // namespace forkfleet
