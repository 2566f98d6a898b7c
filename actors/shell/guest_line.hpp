// SPDX-License-Identifier: Apache-2.0
// A verb's line to one guest: programs and pieces of files, until a signal
// says that it is enough.
#pragma once

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "actors/client.hpp"
#include "actors/shell/guest_program.hpp"
#include "actors/shell/signals.hpp"

namespace forkfleet::shell {

/// What a short program came to.
struct script_end {
  uint64_t status = 0;
  std::string output = {};
  std::string errors = {};
};

/// Whether the script ended with 0; else vmm_refused with what it said.
status succeeded(const expected<script_end>& x);

/// One guest. Signals are noted from its making on: make it before the client,
/// which has threads.
class guest_line {
public:
  /// A reader of our output that goes away is an error from now on, and does
  /// not end us: the program in the guest would stay.
  guest_line();

  /// Talks through `fleet` from now on, which must stay.
  void reach(client& fleet, const sandbox_id& sandbox);

  /// Whether somebody wants us to end.
  bool is_stopped();

  /// How we end when somebody wanted that; done when nobody did.
  exit_code end_code();

  /// Does `work` on another thread, in sight of signals: while nothing has
  /// begun in the guest, one ends us at once.
  template <class Work>
  auto aside(Work work) -> decltype(work()) {
    auto result = std::async(std::launch::async, std::move(work));
    while (result.wait_for(glance) != std::future_status::ready)
      if (end_code() != exit_code::done)
        leave(end_code());
    return result.get();
  }

  /// From now on we tidy up, and one signal does not end that.
  void tidy_up() { is_tidying_ = true; }

  /// Runs a program whose output goes to `sinks`.
  expected<program_end> run(exec_request start, const program_sinks& sinks);

  /// Runs a script of a POSIX shell with arguments $1 and on; what it prints
  /// is kept, up to a limit. cancelled when it was stopped.
  expected<script_end> run_script(const std::string& script,
                                  const std::vector<std::string>& arguments,
                                  milliseconds limit);

  /// Asks for a piece of a file, again while the answer is lost. cancelled
  /// when it was stopped.
  expected<file_report> ask_file(file_request request);

  const sandbox_id& sandbox() const { return sandbox_; }

private:
  static constexpr std::chrono::milliseconds glance{50};

  [[noreturn]] static void leave(exit_code code);
  /// Ends us when somebody insists, or when tidying up takes too long.
  void leave_if_late();
  /// Waits for an answer in sight of signals: the second one ends us.
  template <class Reply, class Request>
  expected<Reply> ask(const Request& request, milliseconds limit);
  void wait(milliseconds limit);

  signal_source signals_;
  int stops_ = 0;
  int first_signal_ = 0;
  std::chrono::steady_clock::time_point stopped_ = {};
  bool is_tidying_ = false;
  client* fleet_ = nullptr;
  sandbox_id sandbox_ = {};
};

/// All of `content` in pieces into a file that the guest has made for it.
status write_file(guest_line& guest, const std::string& path,
                  std::string_view content);

} // namespace forkfleet::shell
