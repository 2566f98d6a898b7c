// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/pinned_files.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <time.h>

#include "node/qemu/host_facts.hpp"

namespace forkfleet::qemu {

namespace {

int64_t nanoseconds(const timespec& x) {
  return static_cast<int64_t>(x.tv_sec) * 1'000'000'000 + x.tv_nsec;
}

expected<pinned_file> look_at(const std::string& path) {
  struct ::stat about = {};
  if (::stat(path.c_str(), &about) != 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  if (!S_ISREG(about.st_mode))
    return fail(ec::invalid_request, path + ": not a regular file");
  return pinned_file{.path = path,
                     .bytes = static_cast<uint64_t>(about.st_size),
                     .modified_ns = nanoseconds(about.st_mtim),
                     .changed_ns = nanoseconds(about.st_ctim),
                     .inode = about.st_ino};
}

/// Whether nobody can have written it since. An older version kept neither
/// inode nor the time of its last change.
bool is_untouched(const pinned_file& was, const pinned_file& now) {
  return was.bytes == now.bytes && was.modified_ns != 0
         && was.modified_ns == now.modified_ns
         && (was.inode == 0 || was.inode == now.inode)
         && (was.changed_ns == 0 || was.changed_ns == now.changed_ns);
}

bool is_same_content(const pinned_file& was, const pinned_file& now) {
  if (was.sha256.empty() || (was.bytes != 0 && was.bytes != now.bytes))
    return false;
  const auto found = file_fingerprint(now.path);
  return found && *found == was.sha256;
}

} // namespace

expected<pinned_file> pin_file(std::string use, const std::string& path) {
  auto result = look_at(path);
  if (!result)
    return result;
  result->use = std::move(use);
  if (result->bytes > pinned_digest_max)
    return result;
  auto digest = file_fingerprint(path);
  if (!digest)
    return tl::unexpected(digest.error());
  result->sha256 = std::move(*digest);
  return result;
}

status check_pin(const pinned_file& was, const std::string& path,
                 const std::string& snapshot, bool is_own) {
  const auto now = look_at(path);
  if (!now)
    return fail(ec::unsupported, "snapshot " + snapshot + " needs its "
                                   + was.use + ": " + now.error().message);
  if ((is_own && path == was.path && is_untouched(was, *now))
      || is_same_content(was, *now))
    return {};
  return fail(ec::unsupported,
              path + ", the " + was.use + " of snapshot " + snapshot
                + ", was changed since the snapshot's VM began to use it; put "
                  "the file back as it was");
}

expected<std::string> find_pinned(const pinned_file& was,
                                  const host_images& known,
                                  const std::string& snapshot) {
  for (const auto& path : known.files)
    if (check_pin(was, path, snapshot, false))
      return path;
  return fail(ec::unsupported,
              "snapshot " + snapshot
                + " was not sealed here, and no file that the fleet file names "
                  "is its "
                + was.use
                + "; name the file in hosts[].images, or in a sandbox");
}

} // namespace forkfleet::qemu
