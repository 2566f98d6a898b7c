// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/clock.hpp"

#include <cstdint>
#include <sys/random.h>

#include <fmt/format.h>

namespace forkfleet::shell {

using std::chrono::duration_cast;
using std::chrono::microseconds;

time_point now() {
  return std::chrono::steady_clock::now();
}

microseconds unix_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return duration_cast<microseconds>(since);
}

operation_id new_operation_id() {
  uint64_t dice = 0;
  // Without randomness the time alone, in nanoseconds, keeps ids apart.
  if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
    dice = static_cast<uint64_t>(now().time_since_epoch().count());
  const auto time = static_cast<uint64_t>(unix_now().count());
  return {fmt::format("op-{:x}-{:016x}", time, dice)};
}

} // namespace forkfleet::shell
