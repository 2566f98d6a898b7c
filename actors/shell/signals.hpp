// SPDX-License-Identifier: Apache-2.0
// Signals as something to wait for, and what Ctrl-C says while a verb waits
// for the fleet.
#pragma once

#include <csignal>
#include <string>

#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

/// Takes SIGINT, SIGTERM and SIGHUP away from their default, in this thread
/// and in those that it starts, until this ends. Make it before any thread.
class signal_source {
public:
  signal_source();
  ~signal_source();
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;

  /// Readable when a signal has come.
  int handle() const { return file_.get(); }

  /// The next signal's number; 0 when none has come.
  int take();

private:
  sigset_t before_{};
  unique_fd file_;
};

/// While this lives, SIGINT and SIGTERM end the process with 130 after
/// writing `text` to stderr: what goes on without us, and how to ask for it.
/// One at a time in a process.
class farewell {
public:
  explicit farewell(std::string text);
  ~farewell();
  farewell(const farewell&) = delete;
  farewell& operator=(const farewell&) = delete;

private:
  std::string text_;
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
};

} // namespace forkfleet::shell
