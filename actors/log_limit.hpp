// SPDX-License-Identifier: Apache-2.0
// How many lines of one kind may be written: what peers cause must not roll
// the log away. Pure: it is given the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace forkfleet::log {

/// Each kind of line has a store of lines that refills with time, and so has
/// each subject of a kind: who caused it. A line is written while both have
/// one left. The subjects of a kind are bounded; beyond that they share one.
class log_limit {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct rates {
    /// Lines at once, and lines a second after that; of one subject.
    double burst = 30;
    double per_second = 1;
    /// All subjects of a kind together have so many times as much.
    double all_subjects = 5;
  };

  struct suppressed {
    std::string event = {};
    uint64_t count = 0;
  };

  explicit log_limit(rates each) : rates_(each) {}

  /// Whether a line may be written now. One that may not is counted.
  bool take(std::string_view event, std::string_view subject, time_point now);

  /// How many lines of each kind were not written since the last call.
  std::vector<suppressed> take_suppressed();

  /// How many subjects it knows.
  std::size_t size() const;

private:
  struct store {
    double left = 0;
    time_point filled_at = {};
  };
  struct kind {
    store all = {};
    std::map<std::string, store, std::less<>> subjects = {};
    uint64_t suppressed = 0;
  };

  static void fill(store& x, double burst, double per_second, time_point now);
  store& store_of(kind& x, std::string_view subject, time_point now);

  rates rates_;
  std::map<std::string, kind, std::less<>> kinds_;
};

} // namespace forkfleet::log
