// SPDX-License-Identifier: Apache-2.0
// Makes one connection to another program: name lookup, TCP, TLS, each
// within a limit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "actors/error.hpp"
#include "actors/link/asio.hpp"
#include "actors/link/deadline.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/peer_stream.hpp"

namespace forkfleet {

/// Used on the guard's thread alone. Keeps itself alive until it is done.
class dialer : public std::enable_shared_from_this<dialer> {
public:
  using stream_ptr = std::unique_ptr<peer_stream>;
  /// Called once. Failures: node_down, deadline_exceeded, not_permitted, and
  /// invalid_request for TLS files that do not fit.
  using done = std::function<void(expected<stream_ptr>)>;

  struct limits {
    std::chrono::milliseconds connect;
    std::chrono::milliseconds whole;
    /// Dials a loopback port without TLS and token; for tests alone.
    bool open_loopback = false;
  };

  dialer(asio::io_context& io, link_endpoint where, tls_material tls,
         limits time, done then);

  void start();
  /// Ends it with `why`, unless it has ended.
  void cancel(failure why);

private:
  using endpoints = tcp::resolver::results_type;

  void connect_next(endpoints::const_iterator at);
  void on_connected(const error_code& x, endpoints::const_iterator at);
  void shake_hands();
  void on_handshake(const error_code& x);
  /// Why nothing may be dialled there.
  status check_target() const;
  void connect_locally();
  void prove_token();
  void finish(expected<stream_ptr> outcome);
  failure no_connection(const error_code& x) const;

  tcp::resolver resolver_;
  net_socket socket_;
  link_endpoint where_;
  tls_material tls_;
  limits time_;
  done then_;
  deadline whole_;
  deadline connect_;
  endpoints found_;
  stream_ptr stream_;
};

} // namespace forkfleet
