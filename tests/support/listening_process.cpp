// SPDX-License-Identifier: Apache-2.0
#include "tests/support/listening_process.hpp"

#include <csignal>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::test {

listening_process::listening_process(const std::string& path) {
  int ready[2] = {};
  REQUIRE(::pipe(ready) == 0);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto listener = qemu::listen_unix(path, SOCK_STREAM);
    if (!listener || ::write(ready[1], "r", 1) != 1)
      ::_exit(1);
    for (;;)
      ::pause();
  }
  ::close(ready[1]);
  char answer = 0;
  const auto got = ::read(ready[0], &answer, 1);
  ::close(ready[0]);
  REQUIRE(pid_ > 0);
  REQUIRE(got == 1);
}

listening_process::~listening_process() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

} // namespace forkfleet::test
