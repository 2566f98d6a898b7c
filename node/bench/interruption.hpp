// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and its like as a value that a long run asks for between its steps,
// so that it ends in order. Knows no CAF.
#pragma once

#include <chrono>

namespace forkfleet::bench {

/// SIGINT, SIGTERM and SIGHUP end nothing as long as it lives; one at a time.
/// Make it before any other thread.
class interruption {
public:
  interruption();
  ~interruption();
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;

  /// Whether one of the signals came.
  bool came() const;

  /// Waits for so long, or until a signal comes. Returns came().
  bool wait(std::chrono::milliseconds time) const;
};

} // namespace forkfleet::bench
