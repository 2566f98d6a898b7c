// SPDX-License-Identifier: Apache-2.0
#include "actors/durable_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include "actors/disk_calls.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

tl::unexpected<failure> os_error(const char* what, const std::string& path) {
  return tl::unexpected<failure>(
    errno_failure(errno, std::string{what} + " " + path));
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const auto n = disk::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return os_error("write", path);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

status write_and_sync(const std::string& path, std::string_view content) {
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const unique_fd fd{disk::open(path.c_str(), flags, 0600)};
  if (!fd)
    return os_error("create", path);
  if (auto written = write_all(fd.get(), content, path); !written)
    return written;
  if (disk::sync_data(fd.get()) != 0)
    return os_error("sync", path);
  return {};
}

/// Makes a directory and syncs its name, unless anything has that name.
status make_named(const std::string& path) {
  // The parent may be a link, such as /var/run; its dot is none.
  if (disk::make_directory(path.c_str(), 0700) == 0)
    return sync_directory(parent_of(path) + "/.");
  if (errno != EEXIST)
    return os_error("make directory", path);
  return {};
}

} // namespace

status write_durably(const std::string& path, std::string_view content) {
  const auto fresh = path + std::string{unfinished_suffix};
  auto written = write_and_sync(fresh, content);
  if (written && disk::rename(fresh.c_str(), path.c_str()) != 0)
    written = os_error("rename to", path);
  if (!written) {
    disk::remove(fresh.c_str());
    return written;
  }
  return sync_directory(parent_of(path));
}

expected<std::string> read_small_file(const std::string& path,
                                      std::size_t bytes_max) {
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const unique_fd fd{::open(path.c_str(), flags)};
  if (!fd)
    return os_error("open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return os_error("stat", path);
  if (!S_ISREG(info.st_mode))
    return fail(ec::io_failed, path + " is not a regular file");
  std::string content;
  char buffer[16384];
  for (;;) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return os_error("read", path);
    if (n == 0)
      return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > bytes_max)
      return fail(ec::io_failed, path + " is longer than "
                                   + std::to_string(bytes_max) + " bytes");
  }
}

status sync_directory(const std::string& path) {
  const unique_fd fd{
    ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd)
    return os_error("open directory", path);
  if (disk::sync_all(fd.get()) != 0)
    return os_error("sync directory", path);
  return {};
}

status make_directory(const std::string& path) {
  if (disk::make_directory(path.c_str(), 0700) == 0)
    return {};
  if (errno != EEXIST)
    return os_error("make directory", path);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return os_error("stat", path);
  if (!S_ISDIR(info.st_mode))
    return fail(ec::io_failed, path + " is in the way: not a directory");
  return {};
}

status make_directories(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (auto made = make_named(path.substr(0, slash)); !made)
      return made;
  }
  if (auto made = make_named(path); !made)
    return made;
  // An earlier life may have died before it could sync the name; who may
  // not read the parent did not make it.
  static_cast<void>(sync_directory(parent_of(path) + "/."));
  return make_directory(path); // what exists may be something else
}

} // namespace forkfleet
