// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace forkfleet::shell {
namespace {

constexpr std::streamoff tail_bytes_max = 16 << 10;
constexpr int kill_limit_ms = 5000;

/// Runs in the child. Only what is safe between fork and exec in a process
/// with threads.
[[noreturn]] void become(char* const* arguments, int log, int report,
                         pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(127);
  const int nothing = open("/dev/null", O_RDONLY);
  // The report moves out of the way of the three standard files and closes
  // by itself when the program starts.
  const int moved = fcntl(report, F_DUPFD_CLOEXEC, 10);
  if (nothing >= 0 && moved >= 0 && dup2(nothing, 0) == 0 && dup2(log, 1) == 1
      && dup2(log, 2) == 2) {
    syscall(SYS_close_range, 3u, static_cast<unsigned>(moved) - 1, 0u);
    syscall(SYS_close_range, static_cast<unsigned>(moved) + 1, ~0u, 0u);
    execv(arguments[0], arguments);
  }
  const int problem = errno;
  [[maybe_unused]] const auto n = write(moved, &problem, sizeof problem);
  _exit(127);
}

/// Waits until the child has started its program: 0, or errno's value.
int await_exec(int report) {
  int problem = 0;
  ssize_t n = -1;
  do {
    n = read(report, &problem, sizeof problem);
  } while (n < 0 && errno == EINTR);
  return n == sizeof problem ? problem : 0;
}

} // namespace

std::string process_end::text() const {
  if (WIFSIGNALED(status))
    return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("exited with {}", WEXITSTATUS(status));
}

expected<child_process> child_process::start(const program& what) {
  bound_log(what.log);
  const unique_fd log{
    open(what.log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
  if (!log)
    return tl::unexpected{errno_failure(errno, what.log)};
  struct stat before {};
  fstat(log.get(), &before);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected{errno_failure(errno, "pipe for " + what.name)};
  const unique_fd report{ends[0]};
  unique_fd child_end{ends[1]};
  std::vector<char*> arguments;
  for (const auto& x : what.arguments)
    arguments.push_back(const_cast<char*>(x.c_str()));
  arguments.push_back(nullptr);
  const auto parent = getpid();
  const auto pid = fork();
  if (pid == 0)
    become(arguments.data(), log.get(), child_end.get(), parent);
  int problem = pid < 0 ? errno : 0;
  child_end.reset();
  if (pid > 0)
    problem = await_exec(report.get());
  unique_fd handle;
  if (problem == 0) {
    handle.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    problem = handle ? 0 : errno;
  }
  if (problem == 0)
    return child_process{pid, std::move(handle), what.log,
                         static_cast<uint64_t>(before.st_size)};
  if (pid > 0) {
    kill(pid, SIGKILL); // not reaped yet, so the pid is still the child's
    waitpid(pid, nullptr, 0);
  }
  return tl::unexpected{
    errno_failure(problem, what.arguments.front(), ec::invalid_request)};
}

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this != &other) {
    release();
    pid_ = other.pid_;
    handle_ = std::move(other.handle_);
    log_ = std::move(other.log_);
    log_start_ = other.log_start_;
  }
  return *this;
}

void child_process::release() {
  if (!handle_)
    return;
  signal(SIGKILL);
  // Bounded: a process that the kernel cannot end now is ended later.
  pollfd ended{handle_.get(), POLLIN, 0};
  poll(&ended, 1, kill_limit_ms);
  waitpid(pid_, nullptr, WNOHANG);
  handle_.reset();
}

std::optional<process_end> child_process::take_end() {
  process_end end;
  if (!handle_ || waitpid(pid_, &end.status, WNOHANG) != pid_)
    return std::nullopt;
  handle_.reset();
  return end;
}

void child_process::signal(int number) const {
  if (handle_)
    syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0);
}

std::vector<std::string>
child_process::last_lines(std::size_t lines_max) const {
  return tail_of(log_, log_start_, lines_max);
}

std::vector<std::string> tail_of(const std::string& path, uint64_t start,
                                 std::size_t lines_max) {
  std::ifstream file{path, std::ios::binary | std::ios::ate};
  const auto end = static_cast<std::streamoff>(file.tellg());
  if (!file || end < 0)
    return {};
  // A log that was bounded meanwhile is shorter than it was.
  const auto begin = static_cast<std::streamoff>(start);
  const auto from = std::max(begin <= end ? begin : 0, end - tail_bytes_max);
  file.seekg(from);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line);
  if (from > begin && !lines.empty())
    lines.erase(lines.begin()); // cut in the middle
  if (lines.size() > lines_max)
    lines.erase(lines.begin(),
                lines.end() - static_cast<std::ptrdiff_t>(lines_max));
  return lines;
}

void bound_log(const std::string& path, uint64_t bytes_max) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  if (ignored || size <= bytes_max)
    return;
  std::filesystem::copy_file(path, path + ".1",
                             std::filesystem::copy_options::overwrite_existing,
                             ignored);
  // Its writer appends, so it goes on at the new end.
  std::filesystem::resize_file(path, 0, ignored);
}

} // namespace forkfleet::shell
