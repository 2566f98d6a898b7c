// SPDX-License-Identifier: Apache-2.0
#include "actors/link/peer_stream.hpp"

namespace forkfleet {

namespace {

std::string address_of(const tcp::socket& socket) {
  auto error = error_code{};
  const auto where = socket.remote_endpoint(error);
  if (error)
    return "unknown";
  return to_string(link_endpoint{where.address().to_string(), where.port()});
}

} // namespace

peer_stream::peer_stream(tcp::socket socket)
  : socket_(std::move(socket)), peer_(address_of(socket_)) {
  auto error = error_code{};
  socket_.set_option(tcp::no_delay{true}, error);
}

void peer_stream::secure(const tls_context& context) {
  context_ = context;
  tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *context);
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

void peer_stream::write(asio::const_buffer from, done then) {
  if (tls_)
    asio::async_write(*tls_, from, std::move(then));
  else
    asio::async_write(socket_, from, std::move(then));
}

void peer_stream::close() {
  auto error = error_code{};
  socket_.shutdown(tcp::socket::shutdown_both, error);
  socket_.close(error);
}

} // namespace forkfleet
