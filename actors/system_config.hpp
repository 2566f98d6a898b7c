// SPDX-License-Identifier: Apache-2.0
// How every program sets up its actor system, waits for signals and ends.
// CAF's own parser of files and arguments is never called.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include <caf/actor_system_config.hpp>

#include "actors/error.hpp"

namespace forkfleet {

/// What differs between our actor systems.
struct system_settings {
  /// Scheduler threads; more than the host's cores slows it down.
  std::size_t threads = 2;
  /// Whether this system talks to others. A `fleet_link` needs it.
  bool network = true;
  /// Runs under CAF's testing scheduler: no threads, time moved by hand.
  bool simulated = false;
};

/// All our message types, our errors' renderer, the scheduler that does not
/// poll, and heartbeats of 1 s that notice a silent peer within 6 s. CAF opens
/// no port and reads no file.
class system_config : public caf::actor_system_config {
public:
  explicit system_config(const system_settings& settings = {});
};

/// Refuses a program whose node identity is CAF's own, which two programs
/// can share: it was linked without `forkfleet_identity`.
status check_node_identity(const caf::actor_system& sys);

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those that it
/// starts, and ignores SIGPIPE. Make it first in `main`, before any thread.
class signal_gate {
public:
  signal_gate();
  signal_gate(const signal_gate&) = delete;
  signal_gate& operator=(const signal_gate&) = delete;

  /// Waits for one of the three; returns its number.
  int wait();

  /// The same, but gives up after `limit`.
  std::optional<int> wait_for(std::chrono::milliseconds limit);
};

/// Ends the process by `_exit(3)` when its orderly end takes too long: the
/// destructor of an actor system waits for every actor. Make it before the
/// system, so that it outlives it.
class end_watchdog {
public:
  end_watchdog();
  /// Disarms.
  ~end_watchdog();
  end_watchdog(const end_watchdog&) = delete;
  end_watchdog& operator=(const end_watchdog&) = delete;

  /// From now on the process has `limit` to end. Only the first call counts.
  void arm(std::chrono::milliseconds limit = std::chrono::seconds{10});

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace forkfleet
