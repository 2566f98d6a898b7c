// SPDX-License-Identifier: Apache-2.0
// The host's side of qemu-guest-agent: one command at a time over the socket
// of its virtio-serial port, each with a deadline. Protocol: QEMU's
// docs/interop/qemu-ga.rst.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/schema/json_text.hpp"
#include "actors/unique_fd.hpp"
#include "node/qemu/line_reader.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// The longest line that is taken from an agent: a guest may send anything.
/// What it answers to a read of a file fits.
inline constexpr std::size_t agent_line_bytes_max = 256 * 1024;

/// A program that an agent is to start.
struct agent_program {
  std::string path = {};
  std::vector<std::string> arguments = {}; // without the path
  std::string input = {};
};

/// Where a program stands. What it printed is there once it has ended.
struct agent_process {
  bool has_ended = false;
  int status = 0;
  int signal = 0;
  std::string output = {};
  std::string errors = {};
};

/// A piece of a file.
struct agent_piece {
  std::string bytes = {};
  bool is_end = false; // of the file
};

/// One connection; the port takes one at a time. Errors name the socket:
/// vmm_unreachable when the guest's agent does not answer (deadline_exceeded
/// after the deadline), vmm_refused with its own words, bounded and harmless.
/// Used by one thread.
class guest_agent {
public:
  /// Connects, and waits until an agent answers to us and nobody else. A port
  /// on which nothing is heard is closed and opened again: that of a child may
  /// be stuck in the middle of what its source said.
  static expected<guest_agent> connect(const std::string& path,
                                       deadline_point until);

  expected<schema::json> execute(std::string_view command,
                                 const schema::json& arguments,
                                 deadline_point until);

  /// The guest's clock, in Unix time.
  expected<std::chrono::microseconds> clock(deadline_point until);

  /// Starts a program; its process in the guest.
  expected<uint64_t> start(const agent_program& program, deadline_point until);
  expected<agent_process> look(uint64_t process, deadline_point until);

  /// Starts one and waits for its end.
  expected<agent_process> run(const agent_program& program,
                              deadline_point until);

  /// Replaces a file's content.
  status write_file(const std::string& path, std::string_view content,
                    deadline_point until);

  /// At most `count` bytes of a file from `offset` on; nothing when there is
  /// no such file.
  expected<std::optional<agent_piece>> read_piece(const std::string& path,
                                                  uint64_t offset,
                                                  std::size_t count,
                                                  deadline_point until);

  /// Writes at `offset`. `mode` is that of fopen: "w" empties the file first,
  /// "r+" needs it to be there.
  status write_piece(const std::string& path, const char* mode, uint64_t offset,
                     std::string_view content, deadline_point until);

  /// Whether a file can be opened for reading.
  expected<bool> is_there(const std::string& path, deadline_point until);

private:
  guest_agent(std::string path, unique_fd socket)
    : path_{std::move(path)}, socket_{std::move(socket)} {}

  status synchronize(deadline_point until);
  expected<schema::json> answer(deadline_point until);
  /// The next line; valid until the next call.
  expected<std::string_view> line(deadline_point until);
  expected<uint64_t> open(const std::string& path, const char* mode,
                          deadline_point until);
  status seek(uint64_t handle, uint64_t offset, deadline_point until);
  /// What was written is there only when this succeeds.
  status close(uint64_t handle, deadline_point until);

  std::string path_;
  unique_fd socket_;
  qemu::line_reader lines_{agent_line_bytes_max};
};

} // namespace forkfleet
