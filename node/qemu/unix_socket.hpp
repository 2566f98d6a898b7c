// SPDX-License-Identifier: Apache-2.0
// Unix sockets with deadlines, descriptors in messages, and paths of any
// length. What QMP and the keeper's control socket are spoken over.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/types.h>

#include "actors/unique_fd.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// Connects to the socket at `path`; `type` is SOCK_STREAM or
/// SOCK_SEQPACKET. vmm_unreachable names the path and why.
expected<unique_fd> connect_unix(const std::string& path, int type,
                                 deadline_point until);

/// Whether somebody listens at `path`. False only when the kernel says that
/// nobody does; vmm_unreachable when that could not be found out.
expected<bool> is_served(const std::string& path, int type);

/// A listening socket at `path`, mode 0600. Replaces a socket that a dead
/// process left there.
expected<unique_fd> listen_unix(const std::string& path, int type);

/// Sends all of `text`, with the descriptor `pass` beside its first byte
/// unless that is -1. deadline_exceeded, or vmm_unreachable when the other
/// side is gone.
status send_text(int socket, std::string_view text, int pass,
                 deadline_point until);

/// What one read brought. No bytes: the other side closed.
struct received {
  std::size_t bytes = 0;
  unique_fd passed = {};
};

/// Waits for something and reads it; a descriptor that came along is kept.
/// deadline_exceeded, or vmm_unreachable when the connection broke.
expected<received> receive(int socket, std::span<char> room,
                           deadline_point until);

/// Waits until `fd` can be read or has ended; false when `until` passed.
bool wait_readable(int fd, deadline_point until);

/// Same, until it can be written.
bool wait_writable(int fd, deadline_point until);

/// The process at the other end when the connection was made; 0 when it
/// cannot be told.
pid_t peer_process(int socket);

/// Milliseconds left for poll(2), rounded up; 0 when `until` passed.
int milliseconds_until(deadline_point until);

} // namespace forkfleet::qemu
