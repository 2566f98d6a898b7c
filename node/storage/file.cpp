// SPDX-License-Identifier: Apache-2.0
#include "node/storage/file.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <memory>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "actors/disk_calls.hpp"

namespace forkfleet {

namespace {

/// Deeper than anything that a node makes; a guard against a loop.
constexpr int depth_max = 32;

constexpr int removal_attempts = 5;

constexpr uint32_t extents_at_once = 512;

tl::unexpected<failure> os_error(const char* what, const std::string& path) {
  return tl::unexpected<failure>(
    errno_failure(errno, std::string{what} + " " + path));
}

struct directory_closer {
  void operator()(DIR* x) const { ::closedir(x); }
};
using directory_stream = std::unique_ptr<DIR, directory_closer>;

bool is_dot(const char* name) {
  const std::string_view text{name};
  return text == "." || text == "..";
}

/// A stream of its own over the directory `fd`, which stays open.
directory_stream stream_of(int fd) {
  unique_fd copy{::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  directory_stream stream{copy ? ::fdopendir(copy.get()) : nullptr};
  if (stream)
    static_cast<void>(copy.release());
  return stream;
}

status remove_at(int parent, const char* name, const std::string& path,
                 int depth);

status remove_content(int fd, const std::string& path, int depth) {
  if (depth > depth_max)
    return fail(ec::io_failed, path + " lies too deep to be removed");
  auto stream = stream_of(fd);
  if (!stream)
    return os_error("open directory", path);
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr)
      break;
    if (is_dot(entry->d_name))
      continue;
    const auto inner = path + "/" + entry->d_name;
    if (auto gone = remove_at(fd, entry->d_name, inner, depth + 1); !gone)
      return gone;
  }
  if (errno != 0)
    return os_error("read directory", path);
  return {};
}

status remove_at(int parent, const char* name, const std::string& path,
                 int depth) {
  // A directory answers EISDIR (or EPERM on some file systems); everything
  // else, links included, is gone after this.
  if (disk::remove_at(parent, name, 0) == 0 || errno == ENOENT)
    return {};
  if (errno != EISDIR && errno != EPERM)
    return os_error("remove", path);
  const unique_fd fd{
    ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd)
    return os_error("remove", path);
  // A process that is about to end may still write what it has to say.
  for (int attempt = 0; attempt < removal_attempts; ++attempt) {
    if (auto empty = remove_content(fd.get(), path, depth); !empty)
      return empty;
    if (disk::remove_at(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
      return {};
    if (errno != ENOTEMPTY && errno != EEXIST)
      break;
  }
  return os_error("remove directory", path);
}

} // namespace

expected<unique_fd> open_file(const std::string& path, int flags,
                              unsigned mode) {
  unique_fd fd{disk::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (!fd)
    return os_error((flags & O_CREAT) != 0 ? "create" : "open", path);
  return fd;
}

status read_at(int fd, std::span<uint8_t> into, uint64_t offset,
               const std::string& path) {
  while (!into.empty()) {
    const auto n =
      ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return os_error("read", path);
    if (n == 0)
      return fail(ec::io_failed,
                  path + " ends at byte " + std::to_string(offset));
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

status write_at(int fd, std::span<const uint8_t> bytes, uint64_t offset,
                const std::string& path) {
  while (!bytes.empty()) {
    const auto n = disk::write_at(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return os_error("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

status write_at(int fd, std::string_view text, uint64_t offset,
                const std::string& path) {
  return write_at(
    fd, std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()},
    offset, path);
}

status sync_data(int fd, const std::string& path) {
  if (disk::sync_data(fd) != 0)
    return os_error("sync", path);
  return {};
}

status sync_all(int fd, const std::string& path) {
  if (disk::sync_all(fd) != 0)
    return os_error("sync", path);
  return {};
}

status resize_file(int fd, uint64_t bytes, const std::string& path) {
  if (disk::truncate(fd, bytes) != 0)
    return os_error("size", path);
  return {};
}

status clone_file(int fd, int source, const std::string& path) {
  if (disk::clone(fd, source) == 0)
    return {};
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS
      || errno == EXDEV || errno == EINVAL)
    return fail(ec::unsupported, path + " cannot share another file's blocks");
  return os_error("clone", path);
}

void set_clone_piece(int fd, uint64_t bytes) {
  fsxattr hints{};
  if (::ioctl(fd, FS_IOC_FSGETXATTR, &hints) != 0)
    return;
  hints.fsx_xflags |= FS_XFLAG_COWEXTSIZE;
  hints.fsx_cowextsize = static_cast<uint32_t>(bytes);
  static_cast<void>(::ioctl(fd, FS_IOC_FSSETXATTR, &hints));
}

int allocate(int fd, int mode, uint64_t offset, uint64_t bytes) {
  return disk::allocate(fd, mode, offset, bytes) == 0 ? 0 : errno;
}

status punch_hole(int fd, uint64_t offset, uint64_t bytes,
                  const std::string& path) {
  const int error =
    allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
  if (error == EOPNOTSUPP || error == ENOSYS)
    return fail(ec::unsupported, path + " can have no holes");
  if (error != 0)
    return tl::unexpected<failure>(errno_failure(error, "punch " + path));
  return {};
}

status start_writeback(int fd, uint64_t offset, uint64_t bytes,
                       const std::string& path) {
  if (disk::write_out(fd, offset, bytes, SYNC_FILE_RANGE_WRITE) != 0)
    return os_error("write out", path);
  return {};
}

status wait_writeback(int fd, uint64_t offset, uint64_t bytes,
                      const std::string& path) {
  constexpr unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE
                           | SYNC_FILE_RANGE_WAIT_AFTER;
  if (disk::write_out(fd, offset, bytes, all) != 0)
    return os_error("write out", path);
  return {};
}

status rename_file(const std::string& from, const std::string& to) {
  if (disk::rename(from.c_str(), to.c_str()) != 0)
    return os_error("rename", from + " to " + to);
  return {};
}

status rename_to_free(const std::string& from, const std::string& to) {
  if (disk::rename(from.c_str(), to.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  const int error = errno;
  // A file system without this flag.
  if ((error == EINVAL || error == ENOSYS) && !path_exists(to))
    return rename_file(from, to);
  if (error == EEXIST || error == ENOTEMPTY || error == EINVAL
      || error == ENOSYS)
    return fail(ec::snapshot_exists, to + " is there already");
  return tl::unexpected<failure>(
    errno_failure(error, "rename " + from + " to " + to));
}

status remove_file(const std::string& path) {
  if (disk::remove(path.c_str()) != 0 && errno != ENOENT)
    return os_error("remove", path);
  return {};
}

expected<uint64_t> file_size(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    return os_error("stat", path);
  return static_cast<uint64_t>(info.st_size);
}

uint64_t stored_bytes(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return 0;
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

uint64_t unshared_bytes(const std::string& path) {
  const auto stored = stored_bytes(path);
  const auto fd =
    stored == 0 ? expected<unique_fd>{unique_fd{}} : open_file(path, O_RDONLY);
  if (!fd || fd->get() < 0)
    return stored;
  std::vector<uint64_t> buffer(
    (sizeof(fiemap) + extents_at_once * sizeof(fiemap_extent))
    / sizeof(uint64_t));
  auto& map = *reinterpret_cast<fiemap*>(buffer.data());
  uint64_t shared = 0;
  for (uint64_t at = 0; shared < stored;) {
    std::fill(buffer.begin(), buffer.end(), 0);
    map.fm_start = at;
    map.fm_length = FIEMAP_MAX_OFFSET - at;
    map.fm_extent_count = extents_at_once;
    if (::ioctl(fd->get(), FS_IOC_FIEMAP, &map) != 0
        || map.fm_mapped_extents == 0)
      break;
    const auto* const extents = map.fm_extents;
    for (uint32_t i = 0; i < map.fm_mapped_extents; ++i)
      if ((extents[i].fe_flags & FIEMAP_EXTENT_SHARED) != 0)
        shared += extents[i].fe_length;
    const auto& last = extents[map.fm_mapped_extents - 1];
    if ((last.fe_flags & FIEMAP_EXTENT_LAST) != 0)
      break;
    at = last.fe_logical + last.fe_length;
  }
  return stored - std::min(stored, shared);
}

expected<std::vector<std::string>> list_directory(const std::string& path,
                                                  std::size_t names_max) {
  const directory_stream stream{::opendir(path.c_str())};
  if (!stream)
    return os_error("open directory", path);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr)
      break;
    if (is_dot(entry->d_name))
      continue;
    if (names.size() == names_max)
      return fail(ec::io_failed, path + " holds more than "
                                   + std::to_string(names_max) + " names");
    names.emplace_back(entry->d_name);
  }
  if (errno != 0)
    return os_error("read directory", path);
  std::sort(names.begin(), names.end());
  return names;
}

status remove_tree(const std::string& parent, const std::string& name) {
  if (name.empty() || name == "." || name == ".."
      || name.find('/') != std::string::npos)
    return fail(ec::io_failed, "'" + name + "' in " + parent
                                 + " is not a name that may be removed");
  const unique_fd fd{
    ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd)
    return os_error("open directory", parent);
  return remove_at(fd.get(), name.c_str(), parent + "/" + name, 0);
}

bool path_exists(const std::string& path) {
  return look_for(path) == presence::there;
}

presence look_for(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0)
    return presence::there;
  return errno == ENOENT ? presence::absent : presence::unknown;
}

} // namespace forkfleet
