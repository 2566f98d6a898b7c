// SPDX-License-Identifier: Apache-2.0
// Processes by pid and start time, so that a pid that was given to another
// process is never mistaken, waited for, or killed.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// A process for certain: its pid, and when it started in clock ticks since
/// boot. 0 and 0: none.
struct process_id {
  pid_t pid = 0;
  uint64_t start_ticks = 0;

  friend bool operator==(const process_id&, const process_id&) = default;
};

/// What a look at a process came to. Only what was really seen counts:
/// `ended` is told when the kernel knows no such process, or when another one
/// is seen to have its pid; every other error while looking is `unknown`, and
/// nothing may be removed, resumed or started anew on it.
enum class liveness : uint8_t { runs, ended, unknown };

/// One look at one process.
class process_look {
public:
  static process_look running(unique_fd pidfd);
  static process_look gone(pid_t pid);
  static process_look not_known(std::string why);

  liveness state() const { return state_; }
  bool runs() const { return state_ == liveness::runs; }
  bool has_ended() const { return state_ == liveness::ended; }

  /// Pins the process; -1 unless it runs.
  int pidfd() const { return pidfd_.get(); }

  /// Why it is not seen to run: vmm_gone when it has ended, vmm_unreachable
  /// when that is not known.
  failure error() const;

private:
  process_look(liveness state, unique_fd pidfd, std::string why)
    : state_{state}, pidfd_{std::move(pidfd)}, why_{std::move(why)} {}

  liveness state_;
  unique_fd pidfd_;
  std::string why_;
};

/// The id of the process that has `pid`; none when there is none, and none
/// when that cannot be found out: no proof of its end.
process_id identify(pid_t pid);

/// A pidfd of `pid`; none, and errno, when there is none to be had.
unique_fd open_pid(pid_t pid);

/// Sends a signal to a pidfd's process; nothing when it has ended.
void send_signal(int pidfd, int signal) noexcept;

/// Looks for exactly that process.
process_look find_process(const process_id& id);

/// Whether a pidfd's process is seen to have ended.
bool has_ended(int pidfd);

/// Waits for its end; false when `until` passed.
bool wait_for_end(int pidfd, deadline_point until);

/// The state letter of a process in /proc, such as 'T' for one that was
/// stopped; '?' when it cannot be read.
char state_letter(pid_t pid);

/// SIGTERM, after `patience` SIGKILL; waits for the end of it.
/// deadline_exceeded when it is there even then.
status end_process(int pidfd, std::chrono::milliseconds patience,
                   deadline_point until);

/// Starts `argv[0]` in a session of its own, with no open files but
/// /dev/null, and waits until it has ended with status 0. What it wrote to
/// stderr is the failure's message. It is killed when `until` passes.
status run_to_end(const std::vector<std::string>& argv, deadline_point until);

} // namespace forkfleet::qemu
