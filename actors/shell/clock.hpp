// SPDX-License-Identifier: Apache-2.0
// The tool's only source of time and chance; everything else is told both.
#pragma once

#include <chrono>

#include "actors/ids.hpp"

namespace forkfleet::shell {

using time_point = std::chrono::steady_clock::time_point;

/// The monotonic time.
time_point now();

/// Unix time.
std::chrono::microseconds unix_now();

/// A new operation id: "op-", the time, and 64 random bits, in hex.
operation_id new_operation_id();

} // namespace forkfleet::shell
