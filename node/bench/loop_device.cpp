// SPDX-License-Identifier: Apache-2.0
#include "node/bench/loop_device.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace forkfleet::bench {

namespace {

/// Another process may take the free device first; so often we try again.
constexpr int attempts_max = 16;

tl::unexpected<failure> no_device(const std::string& what) {
  const auto number = errno;
  if (number == EACCES || number == EPERM)
    return fail(ec::not_permitted, what + ": loop devices need root");
  return fail(ec::unsupported,
              errno_failure(number, what).message
                + "; the kernel must have loop devices (modprobe loop)");
}

/// What the kernel is told: free the device with its last user.
loop_config config_of(int lower_fd, lower_io io) {
  loop_config config{};
  config.fd = static_cast<__u32>(lower_fd);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  if (io == lower_io::direct)
    config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
  return config;
}

} // namespace

expected<loop_device> loop_device::attach(const std::string& lower,
                                          lower_io io) {
  const auto lower_fd = unique_fd{open(lower.c_str(), O_RDWR | O_CLOEXEC)};
  if (!lower_fd)
    return tl::unexpected(errno_failure(errno, "open " + lower));
  const auto control = unique_fd{open("/dev/loop-control", O_RDWR | O_CLOEXEC)};
  if (!control)
    return no_device("open /dev/loop-control");
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const auto number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0)
      return no_device("find a free loop device");
    const auto path = "/dev/loop" + std::to_string(number);
    auto fd = unique_fd{open(path.c_str(), O_RDWR | O_CLOEXEC)};
    if (!fd)
      return no_device("open " + path);
    auto config = config_of(lower_fd.get(), io);
    if (ioctl(fd.get(), LOOP_CONFIGURE, &config) == 0)
      return loop_device{path, std::move(fd)};
    if (errno != EBUSY)
      return no_device("attach " + lower + " to " + path);
  }
  return fail(ec::node_busy, "every free loop device was taken by others");
}

std::string loop_device::number() const {
  struct stat known {};
  if (fstat(fd_.get(), &known) != 0)
    return {};
  return std::to_string(major(known.st_rdev)) + ":"
         + std::to_string(minor(known.st_rdev));
}

} // namespace forkfleet::bench
