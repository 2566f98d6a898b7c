// SPDX-License-Identifier: Apache-2.0
// The clocks of the benchmarks. Knows no CAF.
#pragma once

#include <chrono>

namespace forkfleet::bench {

using std::chrono::microseconds;

inline microseconds since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::steady_clock::now() - begun);
}

/// Unix time.
inline microseconds wall_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

} // namespace forkfleet::bench
