// SPDX-License-Identifier: Apache-2.0
// Pure: how a guest runs one program so that it can be looked at later. A
// POSIX shell claims the operation's id, runs the program in a session of its
// own, and cuts what it prints into segments: as many as may lie unread, then
// the program waits as it would for any pipe. What is kept lies in
// /run/forkfleet/exec of the guest:
//   ID.start       what became of the start; stays, so that none runs twice
//   ID.in          what it reads, where there is something
//   ID/out.N err.N segments; one that was read is emptied by the reader
//   ID/out.end     its output is complete; out.lost: the guest had no space
//   ID/pid status  its process, and its exit status with 1 when it was late
#pragma once

#include <string>
#include <string_view>

#include "actors/exec_protocol.hpp"

namespace forkfleet {

/// The most of each output that lies unread in a guest: so many segments and
/// the one that is being written.
inline constexpr uint64_t exec_segments_max = 4;
inline constexpr uint64_t exec_segment_bytes_max = 1024 * 1024;

/// Programs that a guest keeps at once, those that nobody asked for included.
inline constexpr int exec_programs_max = 32;

/// invalid_request names what is wrong with it.
status check(const exec_request& request);

/// Where a program's files lie in its guest.
std::string exec_directory(const operation_id& operation);

/// Runs the program; the shell ends after it.
std::string start_script(const exec_request& request);

/// Ends its process group, at once or after a short time.
std::string kill_script(const operation_id& operation);

/// Drops what is kept of it; prints an error when it has not ended.
std::string forget_script(const operation_id& operation);

/// What ID.start says: success, or why it was not started.
status read_start(std::string_view text);

/// What ID/status says.
struct exit_note {
  uint64_t status = 0;
  bool was_late = false;
};
expected<exit_note> read_exit(std::string_view text);

} // namespace forkfleet
