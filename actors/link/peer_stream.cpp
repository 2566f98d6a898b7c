// SPDX-License-Identifier: Apache-2.0
#include "actors/link/peer_stream.hpp"

#include <cstring>
#include <sys/socket.h>

namespace forkfleet {

namespace {

std::string text_of(const net_protocol::endpoint& where,
                    const error_code& error) {
  if (error)
    return "unknown";
  const auto family = where.protocol().family();
  if (family == AF_UNIX)
    return "local";
  auto address = tcp::endpoint{};
  if (where.size() > address.capacity())
    return "unknown";
  std::memcpy(address.data(), where.data(), where.size());
  address.resize(where.size());
  return to_string(
    link_endpoint{address.address().to_string(), address.port()});
}

std::string peer_of(const net_socket& socket) {
  auto error = error_code{};
  const auto where = socket.remote_endpoint(error);
  return text_of(where, error);
}

std::string own_of(const net_socket& socket) {
  auto error = error_code{};
  const auto where = socket.local_endpoint(error);
  return text_of(where, error);
}

} // namespace

peer_stream::peer_stream(net_socket socket)
  : socket_(std::move(socket)), peer_(peer_of(socket_)), own_(own_of(socket_)) {
  auto error = error_code{};
  socket_.set_option(tcp::no_delay{true}, error);
}

void peer_stream::secure(const tls_context& context) {
  context_ = context;
  tls_ = std::make_unique<asio::ssl::stream<net_socket&>>(socket_, *context);
}

void peer_stream::shake_hands(bool as_server, handshake_done then) {
  using base = asio::ssl::stream_base;
  tls_->async_handshake(as_server ? base::server : base::client,
                        std::move(then));
}

void peer_stream::read(asio::mutable_buffer into, done then) {
  if (tls_)
    tls_->async_read_some(into, std::move(then));
  else
    socket_.async_read_some(into, std::move(then));
}

void peer_stream::read_all(asio::mutable_buffer into, done then) {
  if (tls_)
    asio::async_read(*tls_, into, std::move(then));
  else
    asio::async_read(socket_, into, std::move(then));
}

void peer_stream::write(asio::const_buffer from, done then) {
  if (tls_)
    asio::async_write(*tls_, from, std::move(then));
  else
    asio::async_write(socket_, from, std::move(then));
}

void peer_stream::close() {
  auto error = error_code{};
  socket_.shutdown(net_socket::shutdown_both, error);
  socket_.close(error);
}

} // namespace forkfleet
