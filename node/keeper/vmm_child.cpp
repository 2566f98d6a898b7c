// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/vmm_child.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/keeper/log.hpp"

namespace forkfleet::keeper {

namespace {

constexpr int exec_failed = 127;

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become_vmm(char* const* argv, int log, int report,
                             pid_t leash) {
  if (leash > 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != leash)
      ::_exit(exec_failed);
  }
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  for (const int number : {SIGHUP, SIGINT, SIGPIPE})
    ::signal(number, SIG_DFL);
  ::execv(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(report, &error, sizeof error);
  ::_exit(exec_failed);
}

// errno of a failed exec; 0 when the pipe closed, which exec does.
int exec_error(int report) {
  int error = 0;
  while (::read(report, &error, sizeof error) < 0 && errno == EINTR)
    continue;
  return error;
}

} // namespace

status vmm_child::start(const std::vector<std::string>& argv, bool leashed) {
  auto pointers = std::vector<char*>{};
  for (const auto& argument : argv)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const auto log =
    unique_fd{::open(vmm_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  auto ends = std::array<int, 2>{};
  if (!log || ::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, vmm_log));
  const auto report = unique_fd{ends[0]};
  auto report_end = unique_fd{ends[1]};
  ::unlink(exit_file);
  const auto parent = leashed ? ::getpid() : 0;
  const auto pid = ::fork();
  if (pid < 0)
    return tl::unexpected(errno_failure(errno, "fork"));
  if (pid == 0)
    become_vmm(pointers.data(), log.get(), report_end.get(), parent);
  report_end.reset();
  if (const int error = exec_error(report.get()); error != 0) {
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(errno_failure(error, argv.front()));
  }
  pidfd_ = qemu::open_pid(pid);
  id_ = qemu::identify(pid);
  return {};
}

void vmm_child::kill() const {
  if (pidfd_)
    qemu::send_signal(pidfd_.get(), SIGKILL);
}

void vmm_child::reap() {
  int code = 0;
  while (::waitpid(id_.pid, &code, 0) < 0 && errno == EINTR)
    continue;
  const int value = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
  const int number = WIFSIGNALED(code) ? WTERMSIG(code) : 0;
  const auto text = fmt::format(R"({{"pid":{},"status":{},"signal":{}}})"
                                "\n",
                                id_.pid, value, number);
  log_line("vmm.ended", text.substr(0, text.size() - 1));
  if (auto kept = write_durably(exit_file, text); !kept)
    log_line("exit.lost", to_string(kept.error()));
  id_ = {};
  pidfd_.reset();
}

} // namespace forkfleet::keeper
