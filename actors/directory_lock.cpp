// SPDX-License-Identifier: Apache-2.0
#include "actors/directory_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

#include "actors/disk_calls.hpp"
#include "actors/durable_file.hpp"

namespace forkfleet {

namespace {

failure taken(const std::string& directory, const std::string& path) {
  auto owner = read_small_file(path, 64);
  std::string who = "another process";
  if (owner && !owner->empty())
    who = "process " + owner->substr(0, owner->find('\n'));
  return {ec::not_permitted,
          directory + " is in use by " + who
            + "; stop it, or give each program a data directory of its own"};
}

} // namespace

expected<directory_lock> directory_lock::take(const std::string& directory) {
  const auto path = directory + "/lock";
  constexpr int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  unique_fd fd{disk::open(path.c_str(), flags, 0600)};
  if (!fd)
    return tl::unexpected<failure>(errno_failure(errno, "open " + path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return tl::unexpected<failure>(taken(directory, path));
    return tl::unexpected<failure>(errno_failure(errno, "lock " + path));
  }
  // For people only: the lock is the kernel's, so a stale number is harmless.
  const auto owner = std::to_string(::getpid()) + "\n";
  if (disk::truncate(fd.get(), 0) != 0
      || disk::write_at(fd.get(), owner.data(), owner.size(), 0) < 0)
    return tl::unexpected<failure>(errno_failure(errno, "write " + path));
  return directory_lock{std::move(fd)};
}

} // namespace forkfleet
