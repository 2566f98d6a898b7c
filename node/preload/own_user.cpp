// SPDX-License-Identifier: Apache-2.0
#include "node/preload/own_user.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace forkfleet::preload {

namespace {

// Of Linux 6.1, which Debian 12's headers do not know.
constexpr unsigned long userfaultfd_new = _IO(0xAA, 0x00);

constexpr long error_least = -4095;

int leash_signal = 0;
pid_t leash_parent = 0;
int userfaultfd_device = -1;

// The kernel forgets the leash when a process changes its user.
void put_on_leash() {
  if (leash_signal == 0)
    return;
  ::prctl(PR_SET_PDEATHSIG, leash_signal);
  if (::getppid() != leash_parent)
    ::raise(leash_signal);
}

long call_kernel(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result = number;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#else
#error "the numbers of system calls are passed on for x86-64 only"
#endif
}

} // namespace

void remember_rights() {
  ::prctl(PR_GET_PDEATHSIG, &leash_signal);
  leash_parent = ::getppid();
  userfaultfd_device = ::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
}

void make_read_only(int fd) {
  const int mode = ::fcntl(fd, F_GETFL);
  struct stat about = {};
  if (mode < 0 || (mode & O_ACCMODE) != O_RDWR || ::fstat(fd, &about) != 0
      || !S_ISREG(about.st_mode))
    return;
  char path[32] = {};
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const int reader = ::open(path, O_RDONLY | O_CLOEXEC);
  if (reader < 0)
    return;
  ::dup3(reader, fd, O_CLOEXEC);
  ::close(reader);
}

} // namespace forkfleet::preload

extern "C" {

[[gnu::visibility("default")]] int setuid(uid_t user) noexcept {
  using function = int (*)(uid_t);
  const auto real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "setuid"));
  if (real == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  const int result = real(user);
  if (result == 0)
    forkfleet::preload::put_on_leash();
  return result;
}

// syscall(2) itself, which QEMU makes its userfaultfd with.
[[gnu::visibility("default")]] long forkfleet_syscall(long number, long a,
                                                      long b, long c, long d,
                                                      long e, long f) noexcept
  asm("syscall");

long forkfleet_syscall(long number, long a, long b, long c, long d, long e,
                       long f) noexcept {
  using namespace forkfleet::preload;
  auto result = call_kernel(number, a, b, c, d, e, f);
  if (number == SYS_userfaultfd && result == -EPERM && userfaultfd_device >= 0)
    result =
      call_kernel(SYS_ioctl, userfaultfd_device, userfaultfd_new, a, 0, 0, 0);
  if (result >= 0 || result < error_least)
    return result;
  errno = static_cast<int>(-result);
  return -1;
}
}
