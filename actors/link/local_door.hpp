// SPDX-License-Identifier: Apache-2.0
// A program's door for its own user: a Unix socket of mode 0600, and the
// kernel's word on who is at the other end. Knows neither CAF nor Asio.
#pragma once

#include <string>
#include <sys/types.h>

#include "actors/error.hpp"
#include "actors/link/owned_fd.hpp"

namespace forkfleet {

/// Listens at `path` with mode 0600; a socket that is there already is
/// replaced, so the caller owns the directory's lock. Refused unless the
/// directory is this user's (or root's) and nobody else can write to it.
expected<owned_fd> listen_locally(const std::string& path);

/// Connects, without waiting. The other side must be root or this user; for
/// root it may also be the owner of a directory that only he can write to.
/// Errors: node_down when nobody listens, not_permitted.
expected<owned_fd> dial_locally(const std::string& path);

/// The user at the other end of a Unix socket, as of its connect or listen.
expected<uid_t> peer_user(int socket);

/// Whether a program of `own` serves a peer of the user `peer`: itself and
/// root alone.
constexpr bool serves_user(uid_t own, uid_t peer) {
  return peer == own || peer == 0;
}

} // namespace forkfleet
