// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/wait_goal.hpp"

#include <fmt/format.h>

namespace forkfleet::shell {

wait_judgement judge(wait_goal goal, const sandbox_id& sandbox,
                     const sandbox_info* info) {
  using enum wait_verdict;
  using enum sandbox_state;
  const bool wants_life =
    goal == wait_goal::running || goal == wait_goal::ready;
  if (info == nullptr)
    return wants_life
             ? wait_judgement{not_yet, fmt::format("there is no sandbox '{}'",
                                                   sandbox.value)}
             : wait_judgement{reached, {}};
  const auto where = fmt::format("sandbox '{}' is {}{}{}", sandbox.value,
                                 schema::name_of(info->state),
                                 info->note.empty() ? "" : ": ", info->note);
  const bool has_ended = info->state == stopped || info->state == gone;
  if (goal == wait_goal::gone)
    return {not_yet, where};
  if (goal == wait_goal::stopped)
    return {has_ended ? reached : not_yet, where};
  if (has_ended || info->state == stuck)
    return {hopeless, where};
  return {info->state == running ? reached : not_yet, where};
}

} // namespace forkfleet::shell
