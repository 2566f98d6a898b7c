// SPDX-License-Identifier: Apache-2.0
// Resumes a guest over the keeper's own line to it, in small steps, until it
// is seen to run and no late command of a dead node can stop it any more.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "node/keeper/guest_line.hpp"

namespace forkfleet::keeper {

/// A dead node's last command may still lie in the VMM's socket when the
/// guest was resumed: it is watched for this long.
inline constexpr auto watch_time = std::chrono::seconds{1};

/// The longest time that a resume is tried for.
inline constexpr auto rescue_time_max = std::chrono::minutes{5};

/// How often a step is due.
inline constexpr auto step_interval = std::chrono::milliseconds{50};

/// The second line to one VM.
class watchdog {
public:
  using clock = std::chrono::steady_clock;

  /// The socket as make_line takes it; empty: there is none, and nothing can
  /// be done.
  explicit watchdog(const std::string& socket)
    : has_line_{!socket.empty()}, line_{make_line(socket)} {}

  /// Whether the VM answers, so that it could be resumed.
  status check(deadline_point until);

  /// Begins to resume the guest, or to do so for longer.
  void begin();

  /// Whether steps are due.
  bool is_busy() const { return busy_; }

  /// One step, if one is due: resumes the guest if it stands.
  void step_if_busy();

  /// As in guest_line.hpp.
  bool listen(deadline_point until) { return line_->listen(until); }
  int socket() const { return line_->socket(); }
  std::string told_end() { return line_->told_end(); }

private:
  status look_and_resume(deadline_point until);

  bool has_line_;
  std::unique_ptr<guest_line> line_;
  bool busy_ = false;
  clock::time_point begun_ = {};
};

} // namespace forkfleet::keeper
