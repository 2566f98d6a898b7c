// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t message_bytes_max = 4096;

constexpr int poll_again_ms = 20;
constexpr int child_poll_ms = 2;

/// A text of /proc, or errno.
tl::expected<std::string, int> read_proc(pid_t pid, const char* name) {
  const auto path = fmt::format("/proc/{}/{}", pid, name);
  const auto file = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return tl::unexpected<int>(errno);
  auto text = std::string{};
  auto room = std::array<char, 1024>{};
  for (;;) {
    const auto got = ::read(file.get(), room.data(), room.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return tl::unexpected<int>(errno);
    if (got == 0)
      return text;
    text.append(room.data(), static_cast<std::size_t>(got));
  }
}

/// What stands behind the command's name, which may hold anything, also
/// blanks and parentheses.
tl::expected<std::string, int> stat_fields(pid_t pid) {
  auto text = read_proc(pid, "stat");
  if (!text)
    return text;
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos)
    return tl::unexpected<int>(EILSEQ);
  return text->substr(name_end + 1);
}

/// When it started; errno when that could not be read.
tl::expected<uint64_t, int> start_ticks_of(pid_t pid) {
  const auto text = stat_fields(pid);
  if (!text)
    return tl::unexpected<int>(text.error());
  auto fields = std::istringstream{*text};
  auto field = std::string{};
  constexpr int fields_to_start_time = 20;
  for (int i = 0; i < fields_to_start_time; ++i)
    if (!(fields >> field))
      return tl::unexpected<int>(EILSEQ);
  const auto ticks = std::strtoull(field.c_str(), nullptr, 10);
  if (ticks == 0)
    return tl::unexpected<int>(EILSEQ);
  return ticks;
}

/// What poll says of a pidfd within `milliseconds`; an error says nothing.
liveness poll_pidfd(int pidfd, int milliseconds) {
  auto entry = pollfd{.fd = pidfd, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&entry, 1, milliseconds);
  if (ready < 0 || pidfd < 0)
    return liveness::unknown;
  if (ready == 0)
    return liveness::runs;
  return (entry.revents & POLLIN) != 0 ? liveness::ended : liveness::unknown;
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

// The status of a child that ended before `until`; none, and killed, when it
// did not. Needs no descriptor: a child that was not waited for keeps its pid.
std::optional<int> await_child(pid_t pid, deadline_point until) {
  bool in_time = true;
  int code = 0;
  for (;;) {
    const auto got = ::waitpid(pid, &code, in_time ? WNOHANG : 0);
    if (got == pid)
      return in_time ? std::optional{code} : std::nullopt;
    if (got < 0 && errno != EINTR)
      return std::nullopt;
    if (in_time && steady_clock::now() >= until) {
      in_time = false;
      ::kill(pid, SIGKILL);
    } else if (got == 0) {
      ::poll(nullptr, 0, child_poll_ms);
    }
  }
}

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

process_look process_look::running(unique_fd pidfd) {
  return {liveness::runs, std::move(pidfd), {}};
}

process_look process_look::gone(pid_t pid) {
  return {liveness::ended, {}, fmt::format("process {} has ended", pid)};
}

process_look process_look::not_known(std::string why) {
  return {liveness::unknown, {}, std::move(why)};
}

failure process_look::error() const {
  if (has_ended())
    return {ec::vmm_gone, why_};
  return {ec::vmm_unreachable, "whether it runs is not known: " + why_};
}

process_id identify(pid_t pid) {
  const auto ticks = pid > 0 ? start_ticks_of(pid) : tl::unexpected<int>(ESRCH);
  return ticks ? process_id{pid, *ticks} : process_id{};
}

// glibc 2.36 declares these calls without C linkage.
unique_fd open_pid(pid_t pid) {
  return unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

void send_signal(int pidfd, int signal) noexcept {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

process_look find_process(const process_id& id) {
  if (id.pid <= 0 || id.start_ticks == 0)
    return process_look::not_known("its process was never told");
  auto pidfd = open_pid(id.pid);
  const int open_error = errno;
  if (!pidfd) {
    // Signal 0 needs no descriptor; none may be left.
    if (open_error == ESRCH || (::kill(id.pid, 0) != 0 && errno == ESRCH))
      return process_look::gone(id.pid);
    return process_look::not_known(
      errno_failure(open_error, fmt::format("process {}", id.pid)).message);
  }
  // The pid is pinned by the descriptor from here on: compare after.
  const auto ticks = start_ticks_of(id.pid);
  if (poll_pidfd(pidfd.get(), 0) == liveness::ended)
    return process_look::gone(id.pid);
  if (!ticks)
    return process_look::not_known(
      errno_failure(ticks.error(), fmt::format("/proc/{}/stat", id.pid))
        .message);
  if (*ticks != id.start_ticks)
    return process_look::gone(id.pid);
  return process_look::running(std::move(pidfd));
}

bool has_ended(int pidfd) {
  return poll_pidfd(pidfd, 0) == liveness::ended;
}

bool wait_for_end(int pidfd, deadline_point until) {
  for (;;) {
    const int left = milliseconds_until(until);
    const auto seen = poll_pidfd(pidfd, left);
    if (seen == liveness::ended)
      return true;
    if (steady_clock::now() >= until)
      return false;
    if (seen == liveness::unknown)
      ::poll(nullptr, 0, std::min(left, poll_again_ms));
  }
}

char state_letter(pid_t pid) {
  const auto text = stat_fields(pid);
  return text && text->size() > 1 ? (*text)[1] : '?';
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
  const auto text = read_message(reader.get(), until);
  const auto end = await_child(pid, until);
  const bool in_time = end.has_value();
  const int code = end.value_or(0);
  if (!in_time)
    return fail(ec::deadline_exceeded, argv.front() + " did not get ready");
  if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
    return fail(ec::io_failed,
                argv.front() + ": " + (text.empty() ? "failed" : text));
  return {};
}

} // namespace forkfleet::qemu
