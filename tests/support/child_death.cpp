// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_death.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"

namespace forkfleet::test {

namespace {

/// All that comes out of a pipe until its other end is closed.
std::string read_all(int fd) {
  std::string all;
  std::array<char, 4096> room{};
  for (;;) {
    const auto got = ::read(fd, room.data(), room.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return all;
    all.append(room.data(), static_cast<std::size_t>(got));
  }
}

[[noreturn]] void live(const std::function<void(const teller&)>& work, int to,
                       pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent)
    work([to](const std::string& line) {
      const auto text = line + "\n";
      if (::write(to, text.data(), text.size()) < 0)
        ::_exit(1);
    });
  ::_exit(0);
}

} // namespace

bool death::knows(const std::string& line) const {
  return std::find(told.begin(), told.end(), line) != told.end();
}

death death_of(const std::function<void(const teller&)>& work) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const unique_fd from{ends[0]};
  unique_fd to{ends[1]};
  const auto parent = ::getpid();
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0)
    live(work, to.get(), parent);
  to.reset();
  death result;
  std::istringstream lines{read_all(from.get())};
  for (std::string line; std::getline(lines, line);)
    result.told.push_back(line);
  int how = 0;
  while (::waitpid(child, &how, 0) < 0 && errno == EINTR)
    continue;
  result.signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
  result.status = WIFEXITED(how) ? WEXITSTATUS(how) : 0;
  return result;
}

} // namespace forkfleet::test
