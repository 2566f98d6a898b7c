// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/socket_server.hpp"

#include <utility>

#include <fmt/format.h>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

status socket_server::check(int socket, const std::string& path) {
  const auto peer = peer_process(socket);
  const auto now = identify(peer);
  const auto file = forkfleet::identify(path).value_or(std::nullopt);
  if (!std::exchange(is_known_, true)) {
    process_ = now;
    file_ = file;
    return {};
  }
  if (now.pid > 0 && process_.pid > 0)
    return now == process_ ? status{}
                           : tl::unexpected(other(
                             path, fmt::format("the process {}", now.pid)));
  // What cannot be read now was read before.
  if (process_.pid > 0 && peer == process_.pid)
    return {};
  if (file && file_ && *file == *file_)
    return {};
  return tl::unexpected(other(path, "a process that made it anew"));
}

failure socket_server::other(const std::string& path,
                             const std::string& who) const {
  const bool has_ended = find_process(process_).has_ended();
  return {has_ended ? ec::vmm_gone : ec::vmm_unreachable,
          fmt::format("{}: {} serves it, which is not the VMM that was "
                      "attached{}; attach it as a sandbox of another name",
                      path, who,
                      process_.pid > 0 ? fmt::format(" (pid {})", process_.pid)
                                       : std::string{})};
}

} // namespace forkfleet::qemu
