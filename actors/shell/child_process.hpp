// SPDX-License-Identifier: Apache-2.0
// A program that runs as our child: its output goes to a file, it ends when
// we end, and it is signalled through its own handle, never by a pid that
// may be somebody else's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

/// What to run. `arguments[0]` is the program's path.
struct program {
  std::string name = {};
  std::vector<std::string> arguments = {};
  std::string log = {};
};

/// How a process ended.
struct process_end {
  int status = 0; // as by waitpid

  bool is_success() const { return status == 0; }
  /// "exited with 3", "was killed by signal 9".
  std::string text() const;
};

/// One running child. The thread that starts it must live as long as it: the
/// kernel kills the child by SIGKILL when that thread ends.
class child_process {
public:
  /// Runs `what` in a process group of its own, with nothing on stdin, its
  /// output appended to the log, and no other file of ours open.
  /// invalid_request when it cannot be executed, io_failed when the log cannot
  /// be opened.
  static expected<child_process> start(const program& what);

  /// Kills and reaps what still runs.
  ~child_process() { release(); }
  child_process(child_process&&) noexcept = default;
  child_process& operator=(child_process&& other) noexcept;

  int pid() const { return pid_; }

  /// A descriptor that is readable when it has ended; -1 after its end was
  /// taken.
  int handle() const { return handle_.get(); }

  /// Reaps it if it has ended. From then on it is not running.
  std::optional<process_end> take_end();

  bool is_running() const { return static_cast<bool>(handle_); }

  /// Sends a signal to it; nothing when it is not running.
  void signal(int number) const;

  /// The last lines that it wrote to its log in this run, at most
  /// `lines_max` and 16 KiB.
  std::vector<std::string> last_lines(std::size_t lines_max) const;

private:
  child_process(int pid, unique_fd handle, std::string log, uint64_t start)
    : pid_{pid}, handle_{std::move(handle)}, log_{std::move(log)}, log_start_{
                                                                     start} {}
  void release();

  int pid_ = -1;
  unique_fd handle_; // of the process, while it is not reaped
  std::string log_;
  uint64_t log_start_ = 0;
};

/// The last lines of the file `path` from `start` on, at most `lines_max` and
/// 16 KiB. Empty when it cannot be read.
std::vector<std::string> tail_of(const std::string& path, uint64_t start,
                                 std::size_t lines_max);

/// How large a log may become.
inline constexpr uint64_t log_bytes_max = 16ull << 20;

/// Moves the content of a log that has outgrown `log_bytes_max` to
/// "<path>.1". What its writer appends meanwhile may be lost.
void bound_log(const std::string& path, uint64_t bytes_max = log_bytes_max);

} // namespace forkfleet::shell
