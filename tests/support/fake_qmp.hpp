// SPDX-License-Identifier: Apache-2.0
// A QMP server that says what a script tells it to, for tests of the client.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "actors/unique_fd.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

/// One connection, from the server's side.
class qmp_peer {
public:
  explicit qmp_peer(int socket) : socket_{socket} {}

  /// Sends text as it is.
  void say(const std::string& text) const;

  /// The next line that the client sent; empty when it has gone.
  std::string hear();

  /// Says QEMU's greeting and answers the negotiation.
  void greet();

  /// Hears a command and answers it with `reply`, in which ID stands for the
  /// command's id.
  void answer(const std::string& reply);

private:
  int socket_;
  std::string pending_ = {};
};

/// Serves connections one after the other, each by the next script; ends
/// with the last one.
class fake_qmp {
public:
  using script = std::function<void(qmp_peer&)>;

  explicit fake_qmp(std::vector<script> scripts);
  ~fake_qmp();

  std::string path() const { return home_.path() + "/qmp.sock"; }

private:
  scratch_directory home_;
  unique_fd listener_;
  std::thread thread_;
};

} // namespace forkfleet::test
