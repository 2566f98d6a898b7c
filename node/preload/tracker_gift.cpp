// SPDX-License-Identifier: Apache-2.0
#include "node/preload/tracker_gift.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace forkfleet::preload {

namespace {

constexpr int flags = O_CLOEXEC | O_NONBLOCK;

// Of Linux 6.1 to 6.7, which Debian 12's headers do not know.
constexpr uint64_t wp_unpopulated = 1u << 13;
constexpr uint64_t wp_async = 1u << 15;
constexpr unsigned long userfaultfd_new = _IO(0xAA, 0x00);

} // namespace

int open_userfaultfd() {
  const long plain = ::syscall(SYS_userfaultfd, flags);
  if (plain >= 0)
    return static_cast<int>(plain);
  const int device = ::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  if (device >= 0) {
    const int made = ::ioctl(device, userfaultfd_new, flags);
    ::close(device);
    if (made >= 0)
      return made;
  }
  return static_cast<int>(
    ::syscall(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY));
}

bool set_up_tracking(int fd) {
  auto api = uffdio_api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP
                 | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | wp_unpopulated | wp_async;
  return ::ioctl(fd, UFFDIO_API, &api) == 0;
}

namespace {

void send(int socket, const char* text, int fd) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  auto part = iovec{const_cast<char*>(text), std::strlen(text)};
  auto head = msghdr{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (fd >= 0) {
    head.msg_control = control.data();
    head.msg_controllen = control.size();
    auto* entry = CMSG_FIRSTHDR(&head);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(entry), &fd, sizeof fd);
  }
  // Whoever asked and left does not need it.
  [[maybe_unused]] const auto sent =
    ::sendmsg(socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
}

} // namespace

void give_tracker(int socket) {
  const int fd = open_userfaultfd();
  if (fd >= 0 && set_up_tracking(fd)) {
    send(socket, "tracker", fd);
  } else {
    auto text = std::array<char, 128>{};
    std::snprintf(text.data(), text.size(), "%s: %s",
                  fd >= 0 ? "the kernel has no asynchronous write protection"
                          : "userfaultfd",
                  ::strerrordesc_np(errno));
    send(socket, text.data(), -1);
  }
  if (fd >= 0)
    ::close(fd);
}

} // namespace forkfleet::preload
