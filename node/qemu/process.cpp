// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t message_bytes_max = 4096;

uint64_t start_ticks_of(pid_t pid) {
  const auto stat = read_small_file(fmt::format("/proc/{}/stat", pid));
  if (!stat)
    return 0;
  // The command's name may hold anything, also blanks and parentheses.
  const auto name_end = stat->rfind(')');
  if (name_end == std::string::npos)
    return 0;
  auto fields = std::istringstream{stat->substr(name_end + 1)};
  auto field = std::string{};
  constexpr int fields_to_start_time = 20;
  for (int i = 0; i < fields_to_start_time; ++i)
    fields >> field;
  return std::strtoull(field.c_str(), nullptr, 10);
}

std::vector<char*> pointers(const std::vector<std::string>& argv) {
  auto result = std::vector<char*>{};
  result.reserve(argv.size() + 1);
  for (const auto& argument : argv)
    result.push_back(const_cast<char*>(argument.c_str()));
  result.push_back(nullptr);
  return result;
}

// posix_spawn's settings: default signals, own session, stderr to a pipe.
struct spawn_settings {
  posix_spawn_file_actions_t files = {};
  posix_spawnattr_t attributes = {};

  explicit spawn_settings(int error_fd) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, error_fd, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);
    auto signals = sigset_t{};
    ::sigfillset(&signals);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID
                                              | POSIX_SPAWN_SETSIGDEF
                                              | POSIX_SPAWN_SETSIGMASK);
  }
  spawn_settings(const spawn_settings&) = delete;
  spawn_settings& operator=(const spawn_settings&) = delete;
  ~spawn_settings() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
};

// What comes out of `fd` until its end or `until`.
std::string read_message(int fd, deadline_point until) {
  auto text = std::string{};
  auto room = std::array<char, 512>{};
  while (wait_readable(fd, until)) {
    const auto got = ::read(fd, room.data(), room.size());
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    if (got > 0 && text.size() < message_bytes_max)
      text.append(room.data(), static_cast<std::size_t>(got));
  }
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

} // namespace

process_id identify(pid_t pid) {
  const auto ticks = pid > 0 ? start_ticks_of(pid) : 0;
  return ticks > 0 ? process_id{pid, ticks} : process_id{};
}

// glibc 2.36 declares these calls without C linkage.
unique_fd open_pid(pid_t pid) {
  return unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

void send_signal(int pidfd, int signal) noexcept {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

expected<unique_fd> open_process(const process_id& id) {
  auto gone = [&id] {
    return fail(ec::vmm_gone, fmt::format("process {} has ended", id.pid));
  };
  if (id.pid <= 0)
    return fail(ec::vmm_gone, "its process is not known");
  auto pidfd = open_pid(id.pid);
  if (!pidfd)
    return gone();
  // The pid is pinned by the descriptor from here on: compare after.
  if (identify(id.pid) != id || has_ended(pidfd.get()))
    return gone();
  return pidfd;
}

bool has_ended(int pidfd) {
  return wait_readable(pidfd, steady_clock::now());
}

bool wait_for_end(int pidfd, deadline_point until) {
  return wait_readable(pidfd, until);
}

status end_process(int pidfd, std::chrono::milliseconds patience,
                   deadline_point until) {
  send_signal(pidfd, SIGTERM);
  if (wait_for_end(pidfd, std::min(until, steady_clock::now() + patience)))
    return {};
  send_signal(pidfd, SIGKILL);
  constexpr auto kill_patience = std::chrono::seconds{5};
  if (wait_for_end(pidfd, std::max(until, steady_clock::now() + kill_patience)))
    return {};
  return fail(ec::deadline_exceeded, "the process did not end when killed");
}

status run_to_end(const std::vector<std::string>& argv, deadline_point until) {
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, "pipe"));
  auto reader = unique_fd{ends[0]};
  auto writer = unique_fd{ends[1]};
  auto settings = spawn_settings{writer.get()};
  pid_t pid = 0;
  const int error =
    ::posix_spawn(&pid, argv.front().c_str(), &settings.files,
                  &settings.attributes, pointers(argv).data(), environ);
  if (error != 0)
    return tl::unexpected(errno_failure(error, argv.front()));
  writer.reset();
  const auto pidfd = open_pid(pid);
  const auto text = read_message(reader.get(), until);
  const bool in_time = wait_for_end(pidfd.get(), until);
  if (!in_time)
    send_signal(pidfd.get(), SIGKILL);
  int code = 0;
  while (::waitpid(pid, &code, 0) < 0 && errno == EINTR)
    continue;
  if (!in_time)
    return fail(ec::deadline_exceeded, argv.front() + " did not get ready");
  if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
    return fail(ec::io_failed,
                argv.front() + ": " + (text.empty() ? "failed" : text));
  return {};
}

} // namespace forkfleet::qemu
