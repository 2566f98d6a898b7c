// SPDX-License-Identifier: Apache-2.0
// Decides whether a program that died is started again. Pure: told the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>

namespace forkfleet::shell {

/// At most `restarts_max` within `period`, over all programs of a fleet.
struct restart_limits {
  std::size_t restarts_max = 5;
  std::chrono::milliseconds period{60000};
  std::chrono::milliseconds delay_step{200};
};

class restart_policy {
public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit restart_policy(restart_limits limits) : limits_{limits} {}

  /// Notes a death at `at` and says how long to wait before the restart:
  /// nothing for the first of a period, one step more for each further one.
  /// Empty when the limit is reached: give up. `at` never goes back.
  std::optional<std::chrono::milliseconds> on_death(time_point at);

  const restart_limits& limits() const { return limits_; }

private:
  restart_limits limits_;
  std::deque<time_point> deaths_; // within the last period, oldest first
};

} // namespace forkfleet::shell
