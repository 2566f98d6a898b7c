// SPDX-License-Identifier: Apache-2.0
#include "node/storage/reservation.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

/// tmpfs gives back all pages on a signal and starts anew; a process that
/// gets signals without end must not try without end.
constexpr int interruptions_max = 100;

// The numbers that <linux/magic.h> lacks.
constexpr int64_t xfs_magic = 0x58465342;
constexpr int64_t zfs_magic = 0x2fc12fc1;

/// The type in the line of mountinfo for the device `major:minor`. Needed
/// for ext2, ext3 and ext4, which share one magic number.
std::string mounted_type(dev_t device) {
  const auto wanted =
    std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream file{"/proc/self/mountinfo"};
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words{line};
    std::string word, number;
    words >> word >> word >> number;
    while (words >> word && word != "-") {
    }
    if (number == wanted && words >> word)
      return word;
  }
  return {};
}

std::string name_of_magic(int64_t magic) {
  switch (magic) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case TMPFS_MAGIC:
      return "tmpfs";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case OVERLAYFS_SUPER_MAGIC:
      return "overlay";
    case NFS_SUPER_MAGIC:
      return "nfs";
    case xfs_magic:
      return "xfs";
    case zfs_magic:
      return "zfs";
    default:
      return "unknown";
  }
}

reserve_outcome outcome_of(int error) {
  switch (error) {
    case 0:
      return reserve_outcome::reserved;
    case EOPNOTSUPP:
    case ENOSYS:
      return reserve_outcome::unsupported;
    case ENOSPC:
      return reserve_outcome::no_space;
    case EDQUOT:
      return reserve_outcome::quota;
    default:
      return reserve_outcome::not_tried;
  }
}

} // namespace

reserve_result reserve(int fd, uint64_t bytes, reserve_shape shape) {
  if (bytes == 0)
    return {reserve_outcome::reserved, 0};
  const int mode = shape == reserve_shape::at_most ? FALLOC_FL_KEEP_SIZE : 0;
  int error = EINTR;
  for (int i = 0; error == EINTR && i < interruptions_max; ++i)
    error = allocate(fd, mode, 0, bytes);
  return {outcome_of(error), error};
}

status give_back(int fd, uint64_t bytes, const std::string& path) {
  const auto size = file_size(fd, path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  if (*size < bytes)
    return fail(ec::io_failed, path + " has " + std::to_string(*size)
                                 + " bytes where " + std::to_string(bytes)
                                 + " should have been written");
  // Also when the size stays: what was reserved beyond the end is freed.
  return resize_file(fd, bytes, path);
}

expected<uint64_t> available_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0)
    return tl::unexpected<failure>(
      errno_failure(errno, "ask for the free space of " + path));
  const auto blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  return static_cast<uint64_t>(blocks) * info.f_frsize;
}

std::string file_system_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0)
    if (auto name = mounted_type(info.st_dev); !name.empty())
      return name;
  // btrfs shows another device here than in mountinfo.
  struct statfs numbers {};
  if (::statfs(path.c_str(), &numbers) != 0)
    return "unknown";
  return name_of_magic(static_cast<int64_t>(numbers.f_type));
}

} // namespace forkfleet
