// SPDX-License-Identifier: Apache-2.0
#include "actors/link/local_door.hpp"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/un.h>

namespace forkfleet {

namespace {

constexpr int backlog = 128;
constexpr mode_t door_mode = 0600;

/// A directory that is held open: its path may be longer than a socket's
/// address can be, so the socket is named below the descriptor.
struct socket_place {
  owned_fd directory;
  uid_t owner = 0;
  bool is_private = false;
  sockaddr_un address = {};
};

/// Of the last system call: a door that is closed to this user is not one
/// that nobody is behind.
failure why_not(const std::string& what) {
  if (errno != EACCES && errno != EPERM)
    return errno_failure(errno, what, ec::node_down);
  auto why = errno_failure(errno, what, ec::not_permitted);
  why.message += "; only the coordinator's own user and root may, others need "
                 "a token and a port (coordinator.listen)";
  return why;
}

expected<socket_place> place_of(const std::string& path) {
  const auto whole = std::filesystem::path{path};
  auto parent = whole.parent_path().string();
  if (parent.empty())
    parent = ".";
  auto found =
    socket_place{.directory = owned_fd{
                   ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)}};
  struct stat about = {};
  if (!found.directory || ::fstat(found.directory.get(), &about) != 0)
    return tl::unexpected(why_not("cannot reach " + path));
  found.owner = about.st_uid;
  found.is_private = (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  const auto name = "/proc/self/fd/" + std::to_string(found.directory.get())
                    + "/" + whole.filename().string();
  if (name.size() >= sizeof found.address.sun_path)
    return fail(ec::invalid_request,
                path + ": the socket's name is too long for an address");
  found.address.sun_family = AF_UNIX;
  std::memcpy(found.address.sun_path, name.c_str(), name.size() + 1);
  return found;
}

owned_fd make_socket() {
  return owned_fd{
    ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

const sockaddr* raw(const sockaddr_un& x) {
  return reinterpret_cast<const sockaddr*>(&x);
}

/// Whether root may believe what `owner` put into his own directory.
bool is_owners_own(const socket_place& where, uid_t peer) {
  return ::geteuid() == 0 && where.is_private && peer == where.owner;
}

} // namespace

expected<owned_fd> listen_locally(const std::string& path) {
  auto where = place_of(path);
  if (!where)
    return tl::unexpected(failure{ec::io_failed, where.error().message});
  if (!where->is_private || !serves_user(::geteuid(), where->owner))
    return fail(ec::invalid_request,
                path
                  + ": others than this user can write to its directory; "
                    "`chmod go-w` it, and let this user own it");
  auto door = make_socket();
  // The mode is set before there is a name, so no moment is unguarded.
  if (!door || ::fchmod(door.get(), door_mode) != 0)
    return tl::unexpected(errno_failure(errno, "make a socket for " + path));
  if (::unlinkat(where->directory.get(),
                 std::filesystem::path{path}.filename().c_str(), 0)
        != 0
      && errno != ENOENT)
    return tl::unexpected(errno_failure(errno, "replace " + path));
  if (::bind(door.get(), raw(where->address), sizeof where->address) != 0
      || ::fchmodat(where->directory.get(),
                    std::filesystem::path{path}.filename().c_str(), door_mode,
                    0)
           != 0
      || ::listen(door.get(), backlog) != 0)
    return tl::unexpected(errno_failure(errno, "listen at " + path));
  return door;
}

expected<owned_fd> dial_locally(const std::string& path) {
  const auto where = place_of(path);
  if (!where)
    return tl::unexpected(where.error());
  auto socket = make_socket();
  if (!socket)
    return tl::unexpected(errno_failure(errno, "make a socket"));
  if (::connect(socket.get(), raw(where->address), sizeof where->address) != 0)
    return tl::unexpected(why_not("cannot connect to " + path));
  const auto peer = peer_user(socket.get());
  if (!peer)
    return tl::unexpected(peer.error());
  if (!serves_user(::geteuid(), *peer) && !is_owners_own(*where, *peer))
    return fail(ec::not_permitted, path + ": is served by user "
                                     + std::to_string(*peer)
                                     + ", who is neither root nor this one");
  return socket;
}

expected<uid_t> peer_user(int socket) {
  auto who = ucred{};
  auto size = socklen_t{sizeof who};
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return tl::unexpected(
      errno_failure(errno, "who is at the other end", ec::not_permitted));
  return who.uid;
}

} // namespace forkfleet
