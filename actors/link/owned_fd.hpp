// SPDX-License-Identifier: Apache-2.0
// A file descriptor with one owner.
#pragma once

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "actors/error.hpp"

namespace forkfleet {

/// Closes its descriptor at the end; -1 stands for none.
class owned_fd {
public:
  owned_fd() = default;
  explicit owned_fd(int number) : number_(number) {}
  owned_fd(owned_fd&& other) noexcept
    : number_(std::exchange(other.number_, -1)) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~owned_fd() {
    if (number_ >= 0)
      ::close(number_);
  }

  int get() const { return number_; }
  /// The caller owns it from now on.
  int release() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

private:
  int number_ = -1;
};

/// Two connected stream sockets of this process.
inline expected<std::pair<owned_fd, owned_fd>> make_socket_pair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)
      != 0)
    return tl::unexpected(errno_failure(errno, "make a socket pair"));
  return std::pair{owned_fd{ends[0]}, owned_fd{ends[1]}};
}

} // namespace forkfleet
