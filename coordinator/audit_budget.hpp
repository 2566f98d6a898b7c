// SPDX-License-Identifier: Apache-2.0
// Pure: how many refusals of one subject stand in the audit log, so that
// nobody can roll away what others did.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/audit_record.hpp"

namespace forkfleet {

/// Per subject, a few refusals in a stretch of time, and the number of the
/// rest. Of many subjects only some are told apart.
class audit_budget {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::size_t refusals_max = 20;
  static constexpr std::size_t subjects_max = 256;
  static constexpr std::chrono::seconds stretch{60};

  /// Whether this refusal gets a line of its own.
  bool take(const audit_record& refused, time_point now);

  /// What was not written, one line for each subject, when its stretch of
  /// time is over.
  std::vector<audit_record> take_suppressed(time_point now);

private:
  struct entry {
    time_point begun = {};
    std::size_t written = 0;
    audit_record last = {};
    uint64_t suppressed = 0;
  };
  std::map<std::string, entry> entries_;
};

} // namespace forkfleet
