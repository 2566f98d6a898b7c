// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_program.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace forkfleet::test {

child_program::child_program(const std::string& name,
                             std::vector<std::string> arguments) {
  const auto path =
    std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
  arguments.insert(arguments.begin(), path);
  auto pointers = std::vector<char*>{};
  for (auto& x : arguments)
    pointers.push_back(x.data());
  pointers.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return;
  output_ = ends[0];
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
      ::_exit(126);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execv(pointers.front(), pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
}

child_program::~child_program() {
  kill();
  if (output_ >= 0)
    ::close(output_);
}

std::string child_program::read_line() {
  auto line = std::string{};
  auto c = '\0';
  while (::read(output_, &c, 1) == 1 && c != '\n')
    line += c;
  return line;
}

void child_program::kill() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  wait();
}

int child_program::wait() {
  auto how = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &how, 0) != pid_)
    return -1;
  pid_ = -1;
  return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

} // namespace forkfleet::test
