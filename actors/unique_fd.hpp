// SPDX-License-Identifier: Apache-2.0
// Owns one file descriptor. Shared by everything that opens files or
// sockets. Knows no CAF.
#pragma once

#include <unistd.h>
#include <utility>

namespace forkfleet {

/// Owns a descriptor and closes it; -1 owns nothing. Moves, never copies.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  ~unique_fd() { reset(); }

  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }

  /// The descriptor, still owned here.
  int get() const noexcept { return fd_; }

  /// Whether a descriptor is owned.
  explicit operator bool() const noexcept { return fd_ >= 0; }

  /// Gives the descriptor away; the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Closes what is owned and takes `fd`.
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd)
      ::close(old);
  }

private:
  int fd_ = -1;
};

} // namespace forkfleet
