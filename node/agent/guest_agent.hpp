// SPDX-License-Identifier: Apache-2.0
// The host's side of qemu-guest-agent: one command at a time over the socket
// of its virtio-serial port, each with a deadline. Protocol: QEMU's
// docs/interop/qemu-ga.rst.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/schema/json_text.hpp"
#include "actors/unique_fd.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

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

/// One connection; the port takes one at a time. Errors name the socket:
/// vmm_unreachable when the guest's agent does not answer (deadline_exceeded
/// after the deadline), vmm_refused with its own words. Used by one thread.
class guest_agent {
public:
  /// Connects, and waits until an agent answers to us and nobody else.
  static expected<guest_agent> connect(const std::string& path,
                                       deadline_point until);

  expected<schema::json> execute(std::string_view command,
                                 const schema::json& arguments,
                                 deadline_point until);

  /// Starts a program; its process in the guest.
  expected<uint64_t> start(const agent_program& program, deadline_point until);
  expected<agent_process> look(uint64_t process, deadline_point until);

  /// Starts one and waits for its end.
  expected<agent_process> run(const agent_program& program,
                              deadline_point until);

  /// Replaces a file's content.
  status write_file(const std::string& path, std::string_view content,
                    deadline_point until);

private:
  guest_agent(std::string path, unique_fd socket)
    : path_{std::move(path)}, socket_{std::move(socket)} {}

  status synchronize(deadline_point until);
  expected<schema::json> answer(deadline_point until);
  expected<std::string> line(deadline_point until);
  expected<uint64_t> open(const std::string& path, const char* mode,
                          deadline_point until);
  void close(uint64_t handle, deadline_point until);

  std::string path_;
  unique_fd socket_;
  std::string pending_ = {};
};

} // namespace forkfleet
