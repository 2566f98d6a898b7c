// SPDX-License-Identifier: Apache-2.0
// The report of one branch while it comes to be: its stages with their times,
// its first error, and what is told of it. Knows no CAF and no clock.
#pragma once

#include <string>
#include <utility>

#include "actors/fault.hpp"
#include "node/branch_run.hpp"

namespace forkfleet {

/// Lives as long as the branch; context and request outlive it.
class branch_record {
public:
  using clock_point = std::chrono::steady_clock::time_point;

  branch_record(const branch_context& context, const branch_request& request);

  branch_report& report() { return report_; }
  bool has_failed() const { return static_cast<bool>(report_.outcome); }

  /// When the branch must have ended.
  clock_point until() const { return until_; }
  microseconds since(clock_point start) const;

  /// Keeps the first error; guest_stuck outranks all.
  void note(const failure& error);
  void warn(std::string warning);
  /// Adds to why not a better mode or method.
  void explain(const std::string& reason);

  void tell(std::string kind, std::string detail = {},
            microseconds elapsed = microseconds{0}) const;
  /// Tells of the stages that ended, from `first` on.
  void tell_stages(stage first) const;

  /// cancelled when somebody asked for it.
  status check_cancel() const;

  /// Runs one stage, notes its time, keeps the first error. Says nothing to
  /// anybody: it also serves the pause window.
  template <class Action>
  bool timed(stage which, clock_point start, Action action) {
    const status done = action();
    report_.stages.push_back(
      {which,
       std::chrono::duration_cast<microseconds>(start - context_.arrival),
       since(start)});
    if (!done)
      note(done.error());
    return done.has_value();
  }

  /// Runs a stage outside the pause window, unless the branch was cancelled.
  template <class Action>
  bool calm(stage which, clock_point start, Action action) {
    const auto fault = fault_point("stage." + to_string(which));
    const bool done = timed(which, start, [&]() -> status {
      if (auto fine = check_cancel(); !fine)
        return fine;
      return fault ? action() : fault;
    });
    tell_stages(which);
    return done;
  }

private:
  void tell_stage(std::string kind, std::string stage_name,
                  microseconds elapsed, std::string detail) const;

  const branch_context& context_;
  const branch_request& request_;
  branch_report report_ = {};
  clock_point until_ = {};
};

} // namespace forkfleet
