// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/detach.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/shell/child_process.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/terminal.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {
namespace {

// One report is one line: what it is, then its text.
constexpr char note_mark = 'n';
constexpr char progress_mark = 'p';
constexpr char ready_mark = 'r';
constexpr char end_mark = 'e';

/// The side that stays behind.
class background {
public:
  background(unique_fd pipe, const detached_task& task)
    : pipe_{std::move(pipe)}, task_{task} {}

  [[noreturn]] void run(const std::string& log) {
    signal_source signals;
    signal(SIGPIPE, SIG_IGN); // who started us may be gone
    setsid();
    enter(log);
    const launch_reporter reporter{
      .note = [this](const std::string& text) { tell(note_mark, text); },
      .progress =
        [this](const std::string& text) { send(progress_mark, text); },
      .ready =
        [this](const std::string& text) {
          tell(ready_mark, text);
          pipe_.reset();
        }};
    const auto code = static_cast<int>(task_(signals, reporter));
    send(end_mark, std::to_string(code));
    std::cerr.flush();
    _exit(code);
  }

private:
  static void enter(const std::string& log) {
    const unique_fd nothing{open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const unique_fd file{
      open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
    if (nothing && file && chdir("/") == 0) {
      dup2(nothing.get(), STDIN_FILENO);
      dup2(file.get(), STDOUT_FILENO);
      dup2(file.get(), STDERR_FILENO);
    }
  }

  /// Writes to the log, and to who started us while that is there.
  void tell(char mark, const std::string& text) {
    std::cerr << time_text(unix_now()) << ' ' << printable(text) << std::endl;
    send(mark, text);
  }

  void send(char mark, const std::string& text) {
    const auto line = mark + printable(text) + "\n";
    if (pipe_ && write(pipe_.get(), line.data(), line.size()) < 0)
      pipe_.reset();
  }

  unique_fd pipe_;
  const detached_task& task_;
};

/// The side that waits.
class foreground {
public:
  foreground(unique_fd pipe, pid_t pid, const launch_reporter& reporter)
    : pipe_{std::move(pipe)}, pid_{pid}, reporter_{reporter} {}

  detached_start run(signal_source& signals) {
    while (!code_ && receive(signals))
      continue;
    if (was_interrupted_)
      return {exit_code::interrupted, pid_};
    return {code_.value_or(exit_code::failed), pid_};
  }

private:
  /// False when the other side has said its last.
  bool receive(signal_source& signals) {
    std::array<pollfd, 2> files{
      {{pipe_.get(), POLLIN, 0}, {signals.handle(), POLLIN, 0}}};
    poll(files.data(), files.size(), -1);
    if (signals.take() != 0) {
      was_interrupted_ = true;
      kill(pid_, SIGTERM); // our child, and not reaped: the pid is its own
      return true;
    }
    std::array<char, 4096> buffer{};
    const auto n = read(pipe_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR)
      return true;
    if (n <= 0)
      return false;
    text_.append(buffer.data(), static_cast<std::size_t>(n));
    for (auto end = text_.find('\n'); end != std::string::npos;
         end = text_.find('\n')) {
      take(text_.substr(0, end));
      text_.erase(0, end + 1);
    }
    return true;
  }

  void take(const std::string& line) {
    if (line.empty())
      return;
    const auto text = line.substr(1);
    switch (line.front()) {
      case note_mark:
        reporter_.note(text);
        break;
      case progress_mark:
        reporter_.progress(text);
        break;
      case ready_mark:
        reporter_.ready(text);
        code_ = exit_code::done;
        break;
      case end_mark:
        code_ = static_cast<exit_code>(std::atoi(text.c_str()));
        break;
      default:
        break;
    }
  }

  unique_fd pipe_;
  pid_t pid_;
  const launch_reporter& reporter_;
  std::string text_;
  std::optional<exit_code> code_;
  bool was_interrupted_ = false;
};

} // namespace

expected<detached_start> run_detached(const std::string& log,
                                      const detached_task& task,
                                      const launch_reporter& reporter) {
  bound_log(log);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected{errno_failure(errno, "pipe")};
  unique_fd ours{ends[0]};
  unique_fd theirs{ends[1]};
  std::cout.flush();
  std::cerr.flush();
  signal_source signals; // before the fork: no signal is lost in between
  const auto pid = fork();
  if (pid < 0)
    return tl::unexpected{errno_failure(errno, "fork")};
  if (pid == 0) {
    ours.reset();
    background{std::move(theirs), task}.run(log);
  }
  theirs.reset();
  return foreground{std::move(ours), pid, reporter}.run(signals);
}

} // namespace forkfleet::shell
