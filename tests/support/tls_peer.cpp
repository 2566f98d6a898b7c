// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tls_peer.hpp"

#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "tests/support/frames.hpp"

namespace forkfleet::test {

namespace {

owned_fd connect_to(uint16_t port) {
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto made = owned_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto limit = timeval{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto* address = reinterpret_cast<const sockaddr*>(&where);
  if (::connect(made.get(), address, sizeof where) != 0)
    return {};
  return made;
}

} // namespace

tls_peer::tls_peer(uint16_t port, const tls_material& files)
  : socket_(connect_to(port)),
    context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
    tls_(nullptr, SSL_free) {
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str());
  SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(),
                              SSL_FILETYPE_PEM);
  tls_.reset(SSL_new(context_.get()));
  SSL_set_fd(tls_.get(), socket_.get());
  is_up_ = socket_ && SSL_connect(tls_.get()) == 1;
}

tls_peer::tls_peer(uint16_t port)
  : socket_(connect_to(port)), context_(nullptr, SSL_CTX_free),
    tls_(nullptr, SSL_free) {
  // nop
}

tls_peer::~tls_peer() = default;

bool tls_peer::send(std::string_view bytes) {
  auto written = std::size_t{0};
  return is_up_
         && SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &written) == 1;
}

bool tls_peer::read_all(char* into, std::size_t bytes) {
  for (auto got = std::size_t{0}; is_up_ && bytes > 0; bytes -= got) {
    if (SSL_read_ex(tls_.get(), into, bytes, &got) != 1)
      return false;
    into += got;
  }
  return is_up_;
}

bool tls_peer::receive(frame_header& head, std::string& payload) {
  auto bytes = std::string(frame_header::size, '\0');
  if (!read_all(bytes.data(), bytes.size()))
    return false;
  head = frame_header::read(bytes);
  payload.assign(head.payload_size, '\0');
  return read_all(payload.data(), payload.size());
}

bool tls_peer::greet(const std::string& node) {
  auto head = frame_header{};
  auto payload = std::string{};
  if (!send(client_handshake(node).bytes()) || !receive(head, payload))
    return false;
  auto in = wire_reader{payload};
  auto own = std::string_view{};
  auto names = std::size_t{0};
  auto name = std::string_view{};
  if (!in.raw(node.size(), own) || !in.length(names))
    return false;
  for (; names > 0; --names)
    if (!in.text(name))
      return false;
  server_node_ = own;
  return in.number(served_actor_);
}

bool tls_peer::is_closed() {
  auto head = frame_header{};
  auto payload = std::string{};
  for (auto i = 0; i < 1000; ++i)
    if (!receive(head, payload))
      return SSL_get_error(tls_.get(), 0) != SSL_ERROR_WANT_READ;
  return false;
}

} // namespace forkfleet::test
