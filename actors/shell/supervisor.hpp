// SPDX-License-Identifier: Apache-2.0
// Keeps the programs of a fleet running as our children: starts them in
// order, waits until the fleet is ready, restarts one that dies, and stops
// them in reverse.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/shell/child_process.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/fleet_plan.hpp"
#include "actors/shell/restart_policy.hpp"
#include "actors/shell/signals.hpp"

namespace forkfleet::shell {

struct supervisor_settings {
  restart_limits restarts = {};
  /// From the first start until all is ready.
  std::chrono::milliseconds start_limit{120'000};
  /// For each program, from SIGTERM to SIGKILL.
  std::chrono::milliseconds stop_limit{45'000};
  std::chrono::milliseconds check_interval{200};
};

/// Whom the supervisor tells and asks. Called in its own thread.
struct supervisor_hooks {
  /// A line for people that stays.
  std::function<void(const std::string&)> note;
  /// What is waited for; replaced by the next.
  std::function<void(const std::string&)> progress;
  /// How far the fleet is; may take a second.
  std::function<readiness()> check;
  /// All is ready; called once.
  std::function<void()> ready;
  /// "name pid" for each program that runs, after every change.
  std::function<void(const std::vector<std::string>&)> running;
};

class supervisor {
public:
  /// `programs` in the order of their start.
  supervisor(std::vector<program> programs, supervisor_settings settings,
             supervisor_hooks hooks);

  /// Starts, keeps and stops everything; nothing runs afterwards. `done`
  /// when a signal ended a fleet that was ready, `interrupted` when it came
  /// before, `failed` when a start failed, took too long, or a program died
  /// more often than the limits allow.
  exit_code run(signal_source& signals);

private:
  struct member {
    program what;
    std::optional<child_process> process = {};
    /// When to start it again; empty while it runs.
    std::optional<time_point> restart_at = {};
  };

  status start_all();
  status start(member& x);
  exit_code await_ready(signal_source& signals);
  exit_code keep(signal_source& signals);
  void stop_all(signal_source& signals);
  void stop(member& x, signal_source& signals, bool& hurry);
  /// Waits for a signal, an end, or `limit`. Returns the signal or 0.
  int wait(signal_source& signals, std::chrono::milliseconds limit);
  /// False: one died before the fleet was ready.
  bool all_run();
  /// False: give up.
  bool restart_the_dead();
  void tell_last_lines(const member& x);
  void tell_running();

  std::vector<member> members_;
  supervisor_settings settings_;
  supervisor_hooks hooks_;
  restart_policy policy_;
};

} // namespace forkfleet::shell
