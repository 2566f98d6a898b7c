// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tls_probe.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "actors/link/owned_fd.hpp"
#include "tests/support/frames.hpp"

namespace forkfleet::test {

tls_probe_result probe_tls(uint16_t port, int version) {
  auto result = tls_probe_result{};
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto socket =
    owned_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto limit = timeval{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where)
      != 0)
    return result;
  auto* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, version);
  auto* tls = SSL_new(context);
  SSL_set_fd(tls, socket.get());
  result.shook_hands = SSL_connect(tls) == 1;
  if (result.shook_hands) {
    const auto hello = client_handshake(node_bytes(3)).bytes();
    char answer[32] = {};
    SSL_write(tls, hello.data(), static_cast<int>(hello.size()));
    result.answered = SSL_read(tls, answer, sizeof answer) > 0;
  }
  SSL_free(tls);
  SSL_CTX_free(context);
  ERR_clear_error();
  return result;
}

} // namespace forkfleet::test
