// SPDX-License-Identifier: Apache-2.0
// Signals as something to wait for, and what Ctrl-C says while a verb waits
// for the fleet.
#pragma once

#include <csignal>
#include <string>

#include "actors/shell/exit_code.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

/// How the tool ends after a signal: 128 and its number, as shells tell it.
exit_code exit_code_after(int number);

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

  /// The handle of the one that lives; -1 for none.
  static int handle_in_use();

  /// Whether it was taken one already.
  static bool has_come();

private:
  sigset_t before_{};
  unique_fd file_;
};

/// While this lives, SIGINT, SIGTERM and SIGHUP end the process at once, after
/// `text` on stderr where that does not stand: what goes on without us, and how
/// to ask for it.
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
  struct sigaction hang_up_ {};
};

} // namespace forkfleet::shell
