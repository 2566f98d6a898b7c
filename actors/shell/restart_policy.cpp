// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/restart_policy.hpp"

namespace forkfleet::shell {

std::optional<std::chrono::milliseconds>
restart_policy::on_death(time_point at) {
  while (!deaths_.empty() && at - deaths_.front() >= limits_.period)
    deaths_.pop_front();
  if (deaths_.size() >= limits_.restarts_max)
    return std::nullopt;
  const auto wait = limits_.delay_step * static_cast<int>(deaths_.size());
  deaths_.push_back(at);
  return wait;
}

} // namespace forkfleet::shell
