// SPDX-License-Identifier: Apache-2.0
// Pure: whether a sandbox stands where somebody waits for it.
#pragma once

#include "actors/sandbox_protocol.hpp"

namespace forkfleet::shell {

/// What is waited for.
enum class wait_goal : uint8_t { ready, running, stopped, gone };

constexpr auto enum_table(wait_goal) {
  using enum wait_goal;
  return std::to_array<schema::enum_entry<wait_goal>>({
    {ready, "ready", "its guest's agent answers"},
    {running, "running", "its VM runs"},
    {stopped, "stopped", "its VM has ended"},
    {gone, "gone", "it is not listed any more"},
  });
}

enum class wait_verdict : uint8_t { not_yet, reached, hopeless };

/// With why it is not reached.
struct wait_judgement {
  wait_verdict verdict = wait_verdict::not_yet;
  std::string why = {};
};

/// By what the fleet lists of it; null: nothing. `ready` needs its agent's
/// answer besides.
wait_judgement judge(wait_goal goal, const sandbox_id& sandbox,
                     const sandbox_info* info);

} // namespace forkfleet::shell
