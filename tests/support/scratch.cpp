// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scratch.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace forkfleet::test {

namespace {

std::string make_command(disk_kind kind) {
  switch (kind) {
    case disk_kind::ext4:
      return "mkfs.ext4 -q -F -O has_journal ";
    case disk_kind::ext4_without_extents:
      return "mkfs.ext4 -q -F -O ^extent,^64bit,^metadata_csum ";
    case disk_kind::xfs:
      return "mkfs.xfs -q -f ";
    case disk_kind::btrfs:
      return "mkfs.btrfs -q -f -m single ";
    case disk_kind::tmpfs:
      break;
  }
  return {};
}

} // namespace

scratch_directory::scratch_directory() {
  // In memory where there is such a place: tests sync very often.
  const char* const chosen = std::getenv("TMPDIR");
  const std::string other =
    ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  path_ = (chosen != nullptr ? chosen : other) + "/forkfleet-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr)
    path_.clear();
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  if (!path_.empty())
    std::filesystem::remove_all(path_, ignored);
}

std::string to_string(disk_kind x) {
  switch (x) {
    case disk_kind::tmpfs:
      return "tmpfs";
    case disk_kind::ext4:
      return "ext4";
    case disk_kind::xfs:
      return "xfs";
    case disk_kind::btrfs:
      return "btrfs";
    case disk_kind::ext4_without_extents:
      return "ext4 without extents";
  }
  return "?";
}

expected<std::unique_ptr<scratch_disk>> scratch_disk::make(disk_kind kind,
                                                           uint64_t bytes) {
  if (auto entered = have_own_mounts(); !entered)
    return tl::unexpected<failure>(entered.error());
  std::unique_ptr<scratch_disk> result{new scratch_disk};
  if (auto mounted = result->mount(kind, bytes); !mounted)
    return tl::unexpected<failure>(mounted.error());
  return result;
}

status scratch_disk::mount(disk_kind kind, uint64_t bytes) {
  const auto place = home_.path() + "/disk";
  ::mkdir(place.c_str(), 0700);
  if (kind == disk_kind::tmpfs) {
    const auto size = "size=" + std::to_string(bytes);
    if (::mount("tmpfs", place.c_str(), "tmpfs", 0, size.c_str()) != 0)
      return fail(ec::not_permitted, "no tmpfs can be mounted");
    path_ = place;
    return {};
  }
  const auto image = home_.path() + "/image";
  auto done = run_program("truncate -s " + std::to_string(bytes) + " " + image
                          + " && " + make_command(kind) + image
                          + " && mount -o loop " + image + " " + place);
  // The loop device keeps the image until the mount is gone.
  ::unlink(image.c_str());
  if (!done)
    return fail(ec::not_permitted,
                "no " + to_string(kind) + " can be made and mounted");
  path_ = place;
  return {};
}

scratch_disk::~scratch_disk() {
  if (!path_.empty() && ::umount2(path_.c_str(), 0) != 0)
    ::umount2(path_.c_str(), MNT_DETACH);
}

status scratch_disk::make_readonly() {
  if (::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr)
      != 0)
    return tl::unexpected<failure>(errno_failure(errno, "remount " + path_));
  return {};
}

status have_own_mounts() {
  static const int error = [] {
    if (::unshare(CLONE_NEWNS) != 0
        || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return errno;
    return 0;
  }();
  if (error != 0)
    return fail(ec::not_permitted, "no mount namespace of our own; be root");
  return {};
}

status run_program(const std::string& command) {
  const int result =
    std::system(("( " + command + " ) >/dev/null 2>&1").c_str());
  if (result != 0)
    return fail(ec::io_failed, command);
  return {};
}

} // namespace forkfleet::test
