// SPDX-License-Identifier: Apache-2.0
// Processes by pid and start time, so that a pid that was given to another
// process is never mistaken, waited for, or killed.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
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

/// The id of the process that has `pid`; none when there is none.
process_id identify(pid_t pid);

/// A pidfd of `pid`; none when there is no such process.
unique_fd open_pid(pid_t pid);

/// Sends a signal to a pidfd's process; nothing when it has ended.
void send_signal(int pidfd, int signal) noexcept;

/// A pidfd of exactly that process; vmm_gone when it is not there any more.
expected<unique_fd> open_process(const process_id& id);

/// Whether a pidfd's process has ended.
bool has_ended(int pidfd);

/// Waits for its end; false when `until` passed.
bool wait_for_end(int pidfd, deadline_point until);

/// SIGTERM, after `patience` SIGKILL; waits for the end of it.
/// deadline_exceeded when it is there even then.
status end_process(int pidfd, std::chrono::milliseconds patience,
                   deadline_point until);

/// Starts `argv[0]` in a session of its own, with no open files but
/// /dev/null, and waits until it has ended with status 0. What it wrote to
/// stderr is the failure's message. It is killed when `until` passes.
status run_to_end(const std::vector<std::string>& argv, deadline_point until);

} // namespace forkfleet::qemu
