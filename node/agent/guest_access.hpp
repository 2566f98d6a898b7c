// SPDX-License-Identifier: Apache-2.0
// What is done in a guest through its agent: programs, and files piece by
// piece. Each call blocks until its deadline at most, and may be repeated when
// its answer was lost. Errors: those of guest_agent; interrupted when the guest
// no longer knows the program; disk_full when it had no space for its output.
#pragma once

#include "node/agent/exec_script.hpp"
#include "node/agent/guest_agent.hpp"

namespace forkfleet {

/// Starts, looks at, kills or forgets a program.
expected<exec_report> do_exec(guest_agent& agent, const exec_request& request,
                              deadline_point until);

/// Reads or writes a piece of a file.
expected<file_report> do_file(guest_agent& agent, const file_request& request,
                              deadline_point until);

/// invalid_request names what is wrong with it.
status check(const file_request& request);

/// A guest's agent, connected to when it is needed, and kept: an agent notices
/// a new connection late. Used by one thread at a time.
class agent_seat {
public:
  explicit agent_seat(std::string path) : path_{std::move(path)} {}

  const std::string& path() const { return path_; }

  /// Does `work` with the agent. A kept connection that turns out to be dead
  /// is made anew, once; so `work` may be done twice.
  template <class Work>
  auto with(deadline_point until, Work work)
    -> decltype(work(std::declval<guest_agent&>())) {
    const bool was_kept = agent_.has_value();
    if (auto there = connect(until); !there)
      return tl::unexpected(there.error());
    auto result = work(*agent_);
    if (result || is_agents_own(result.error().code))
      return result;
    agent_.reset();
    if (!was_kept || result.error().code != ec::vmm_unreachable)
      return result;
    if (auto there = connect(until); !there)
      return tl::unexpected(there.error());
    result = work(*agent_);
    if (!result && !is_agents_own(result.error().code))
      agent_.reset();
    return result;
  }

private:
  status connect(deadline_point until);
  /// Whether the agent answered, if only with a refusal.
  static bool is_agents_own(ec code) {
    return code != ec::vmm_unreachable && code != ec::deadline_exceeded;
  }

  std::string path_;
  std::optional<guest_agent> agent_ = {};
};

} // namespace forkfleet
