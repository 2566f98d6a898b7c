// SPDX-License-Identifier: Apache-2.0
// A host whose kernel has no nf_tables, for one thread and all processes that
// it starts: netlink sockets of that family cannot be made.
#pragma once

#include <cerrno>
#include <cstddef>
#include <exception>
#include <functional>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

namespace forkfleet::test {

/// Of the calling thread, for good.
inline void lose_nf_tables() {
  const auto argument = [](unsigned i) {
    return static_cast<unsigned>(offsetof(seccomp_data, args) + 8 * i);
  };
  sock_filter steps[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(2)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{sizeof steps / sizeof *steps, steps};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
      || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    throw std::runtime_error("no seccomp filter can be set here");
}

/// Runs `work` on such a thread, and rethrows what it throws.
inline void without_nf_tables(const std::function<void()>& work) {
  std::exception_ptr thrown;
  std::thread{[&] {
    try {
      lose_nf_tables();
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  }}.join();
  if (thrown)
    std::rethrow_exception(thrown);
}

} // namespace forkfleet::test
