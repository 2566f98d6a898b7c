// SPDX-License-Identifier: Apache-2.0
// Follows the events of one sandbox's branches beside the question that
// waits for their end, so that the progress line can say where they are.
#pragma once

#include <memory>
#include <string>

#include "actors/client.hpp"

namespace forkfleet::shell {

/// Which stage runs after the event `x`; empty when it does not say.
std::string stage_after(const fleet_event& x);

/// A thread with its own connection, from construction to destruction. A
/// fleet that does not answer costs the progress and nothing else.
class branch_progress {
public:
  branch_progress(client_settings settings, sandbox_id sandbox);
  /// Ends the thread, within a second when the fleet answers.
  ~branch_progress();
  branch_progress(const branch_progress&) = delete;
  branch_progress& operator=(const branch_progress&) = delete;

  /// The stage that runs, as far as is known; "" at first.
  std::string stage_now() const;

private:
  class follower;
  std::unique_ptr<follower> follower_;
};

} // namespace forkfleet::shell
