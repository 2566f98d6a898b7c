// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_owner.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/unique_fd.hpp"

namespace forkfleet::qemu {

namespace {

constexpr mode_t searched_by_group = 0710;
constexpr mode_t read_by_all = 0444;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

expected<unique_fd> open_own(const std::string& path) {
  auto file = unique_fd{
    ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file)
    return tl::unexpected(errno_failure(errno, path));
  return file;
}

} // namespace

uint32_t vm_uid_of(const std::string& directory) noexcept {
  struct stat about = {};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &about) != 0
      || (about.st_mode & 07777) != searched_by_group
      || about.st_gid < vm_uid_least)
    return 0;
  return about.st_gid;
}

status set_vm_uid(const std::string& directory, uint32_t uid) {
  const auto opened = open_own(directory);
  if (!opened)
    return tl::unexpected(opened.error());
  if (::fchown(opened->get(), static_cast<uid_t>(-1), uid) != 0
      || ::fchmod(opened->get(), searched_by_group) != 0)
    return tl::unexpected(errno_failure(errno, directory));
  return {};
}

status give_to_vm(const std::string& path) {
  const auto uid = vm_uid_of(parent_of(path));
  if (uid == 0)
    return {};
  const auto file = open_own(path);
  if (!file)
    return tl::unexpected(file.error());
  if (::fchown(file->get(), uid, uid) != 0)
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

status share_with_vm(const std::string& path) {
  if (vm_uid_of(parent_of(path)) == 0)
    return {};
  const auto file = open_own(path);
  if (!file)
    return tl::unexpected(file.error());
  if (::fchown(file->get(), 0, 0) != 0
      || ::fchmod(file->get(), read_by_all) != 0)
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

} // namespace forkfleet::qemu
