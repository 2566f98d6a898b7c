// SPDX-License-Identifier: Apache-2.0
// A VMM that says that its guest is over, and then hangs for ever, as QEMU
// 7.2 sometimes does.
#include <array>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "node/qemu/machine.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"

using namespace forkfleet;

namespace {

constexpr const char* greeting =
  R"({"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7}}}})"
  "\r\n";
constexpr const char* shutdown =
  R"({"timestamp":{"seconds":5,"microseconds":7},"event":"SHUTDOWN",)"
  R"("data":{"guest":true,"reason":"guest-shutdown"}})"
  "\r\n";

/// As a QMP server does it, up to its last word.
status serve(int socket, deadline_point until) {
  if (auto said = qemu::send_text(socket, greeting, -1, until); !said)
    return said;
  auto room = std::array<char, 4096>{};
  const auto got = qemu::receive(socket, room, until);
  if (!got)
    return tl::unexpected(got.error());
  const auto asked = schema::parse_json(std::string{room.data(), got->bytes});
  const auto id = asked ? qemu::number_member(*asked, "id") : 0;
  const auto answer = fmt::format("{{\"return\":{{}},\"id\":{}}}\r\n", id);
  return qemu::send_text(socket, answer + shutdown, -1, until);
}

} // namespace

int main() {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
  const auto listener = qemu::listen_unix(qemu::watchdog_socket, SOCK_STREAM);
  if (!listener || !qemu::wait_readable(listener->get(), until))
    return 1;
  const auto socket =
    unique_fd{::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!socket || !serve(socket.get(), until))
    return 1;
  for (;;)
    ::pause();
}
