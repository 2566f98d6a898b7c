// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr auto backlog_retry = std::chrono::milliseconds{5};
constexpr int listen_backlog = 16;

// An address, and the directory that it goes through when the path itself is
// too long for one.
struct unix_address {
  sockaddr_un name = {};
  unique_fd directory = {};
};

expected<unix_address> address_of(const std::string& path) {
  auto result = unix_address{};
  auto text = path;
  if (text.size() >= sizeof result.name.sun_path) {
    const auto slash = path.rfind('/');
    const auto parent =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
    result.directory.reset(
      ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.directory)
      return tl::unexpected(errno_failure(errno, parent, ec::vmm_unreachable));
    text = fmt::format("/proc/self/fd/{}/{}", result.directory.get(),
                       path.substr(slash == std::string::npos ? 0 : slash + 1));
  }
  if (text.size() >= sizeof result.name.sun_path)
    return fail(ec::vmm_unreachable,
                path + ": the socket's own name is too long");
  result.name.sun_family = AF_UNIX;
  std::memcpy(result.name.sun_path, text.c_str(), text.size() + 1);
  return result;
}

const sockaddr* raw(const unix_address& x) {
  return reinterpret_cast<const sockaddr*>(&x.name);
}

bool wait_for(int fd, short events, deadline_point until) {
  auto entry = pollfd{.fd = fd, .events = events, .revents = 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, milliseconds_until(until));
    if (ready > 0)
      return true;
    if (ready == 0 && steady_clock::now() >= until)
      return false;
    if (ready < 0 && errno != EINTR)
      return true; // the next call on it tells the error
  }
}

// The message's head for `part`, with room for one descriptor.
struct message {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  iovec part = {};
  msghdr head = {};

  message(void* bytes, std::size_t count) : part{bytes, count} {
    head.msg_iov = &part;
    head.msg_iovlen = 1;
  }

  void allow_descriptor() {
    head.msg_control = control.data();
    head.msg_controllen = control.size();
  }

  void pass(int fd) {
    allow_descriptor();
    auto* entry = CMSG_FIRSTHDR(&head);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(entry), &fd, sizeof fd);
  }

  unique_fd passed() {
    auto* entry = CMSG_FIRSTHDR(&head);
    if (!entry || entry->cmsg_level != SOL_SOCKET
        || entry->cmsg_type != SCM_RIGHTS)
      return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(entry), sizeof fd);
    return unique_fd{fd};
  }
};

} // namespace

int milliseconds_until(deadline_point until) {
  const auto left =
    std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
  return static_cast<int>(
    std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

bool wait_readable(int fd, deadline_point until) {
  return wait_for(fd, POLLIN, until);
}

bool wait_writable(int fd, deadline_point until) {
  return wait_for(fd, POLLOUT, until);
}

expected<unique_fd> connect_unix(const std::string& path, int type,
                                 deadline_point until) {
  auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  auto socket =
    unique_fd{::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket)
    return tl::unexpected(errno_failure(errno, path, ec::vmm_unreachable));
  while (::connect(socket.get(), raw(*address), sizeof address->name) != 0) {
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN)
      return tl::unexpected(errno_failure(errno, path, ec::vmm_unreachable));
    // The listener's backlog is full; a Unix socket cannot be waited for.
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded, path + ": too many wait to connect");
    ::poll(nullptr, 0, static_cast<int>(backlog_retry.count()));
  }
  return socket;
}

expected<bool> is_served(const std::string& path, int type) {
  auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  const auto socket =
    unique_fd{::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket)
    return tl::unexpected(errno_failure(errno, path, ec::vmm_unreachable));
  int error = EINTR;
  while (error == EINTR)
    error = ::connect(socket.get(), raw(*address), sizeof address->name) == 0
              ? 0
              : errno;
  // EAGAIN: its backlog is full.
  if (error == 0 || error == EAGAIN)
    return true;
  if (error == ENOENT || error == ECONNREFUSED)
    return false;
  return tl::unexpected(errno_failure(error, path, ec::vmm_unreachable));
}

expected<unique_fd> listen_unix(const std::string& path, int type) {
  auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  auto socket =
    unique_fd{::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket)
    return tl::unexpected(errno_failure(errno, path));
  ::unlink(path.c_str());
  const auto old_mask = ::umask(0177);
  const bool bound =
    ::bind(socket.get(), raw(*address), sizeof address->name) == 0;
  const int bind_error = errno;
  ::umask(old_mask);
  if (!bound)
    return tl::unexpected(errno_failure(bind_error, path));
  if (::listen(socket.get(), listen_backlog) != 0)
    return tl::unexpected(errno_failure(errno, path));
  return socket;
}

status send_text(int socket, std::string_view text, int pass,
                 deadline_point until) {
  while (!text.empty()) {
    auto out = message{const_cast<char*>(text.data()), text.size()};
    if (pass >= 0)
      out.pass(pass);
    const auto sent = ::sendmsg(socket, &out.head, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
      pass = -1;
    } else if (errno == EAGAIN) {
      if (!wait_writable(socket, until))
        return fail(ec::deadline_exceeded, "the other side does not read");
    } else if (errno != EINTR) {
      return tl::unexpected(errno_failure(errno, "send", ec::vmm_unreachable));
    }
  }
  return {};
}

expected<received> receive(int socket, std::span<char> room,
                           deadline_point until) {
  for (;;) {
    auto in = message{room.data(), room.size()};
    in.allow_descriptor();
    const auto got =
      ::recvmsg(socket, &in.head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got >= 0)
      return received{static_cast<std::size_t>(got), in.passed()};
    if (errno == ECONNRESET)
      return received{};
    if (errno == EAGAIN) {
      if (!wait_readable(socket, until))
        return fail(ec::deadline_exceeded, "nothing came in time");
    } else if (errno != EINTR) {
      return tl::unexpected(
        errno_failure(errno, "receive", ec::vmm_unreachable));
    }
  }
}

pid_t peer_process(int socket) {
  auto peer = ucred{};
  auto size = socklen_t{sizeof peer};
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return 0;
  return peer.pid;
}

} // namespace forkfleet::qemu
