// SPDX-License-Identifier: Apache-2.0
#include "node/storage/file_identity.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

int64_t nanoseconds_of(const struct statx_timestamp& time) {
  constexpr int64_t second = 1'000'000'000;
  return time.tv_sec * second + time.tv_nsec;
}

/// The namespaces' file system keeps no time of birth, and nothing changes
/// one of its inodes later.
bool is_namespace(int fd) {
  struct statfs info = {};
  return ::fstatfs(fd, &info) == 0 && info.f_type == NSFS_MAGIC;
}

} // namespace

expected<std::optional<file_identity>> identify(const std::string& path) {
  const auto file =
    unique_fd{::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (!file && (errno == ENOENT || errno == ENOTDIR))
    return std::nullopt;
  struct statx facts = {};
  if (!file
      || ::statx(file.get(), "", AT_EMPTY_PATH,
                 STATX_INO | STATX_CTIME | STATX_BTIME, &facts)
           != 0)
    return tl::unexpected(errno_failure(errno, path));
  auto result =
    file_identity{.device = makedev(facts.stx_dev_major, facts.stx_dev_minor),
                  .inode = facts.stx_ino};
  if ((facts.stx_mask & STATX_BTIME) != 0)
    result.born = nanoseconds_of(facts.stx_btime);
  else if (is_namespace(file.get()))
    result.born = nanoseconds_of(facts.stx_ctime);
  return result;
}

} // namespace forkfleet
