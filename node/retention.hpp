// SPDX-License-Identifier: Apache-2.0
// Which snapshots are removed by themselves: by the rules of the fleet file,
// their labels and their age, and never one that something needs. Pure: it is
// given the time. Knows no CAF.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"
#include "config/fleet_file.hpp"

namespace forkfleet {

/// What the retention says of one snapshot, and why. `why` is a sentence
/// without its subject.
struct retention_verdict {
  bool is_due = false;
  std::string why = {};

  friend bool operator==(const retention_verdict&,
                         const retention_verdict&) = default;
};

using retention_verdicts = std::map<snapshot_tag, retention_verdict>;

/// Who needs a snapshot, beside the diffs over it: a child that maps it.
using snapshot_users = std::map<snapshot_tag, std::string>;

/// What time it is, as far as it tells ages.
struct retention_time {
  microseconds now{0}; // Unix time
  /// So much of it has not passed: the clock was set ahead, at `since`. What
  /// was sealed before is so much younger than its date says.
  microseconds ahead{0};
  microseconds since{0};
};

/// Notices a wall clock that is set while the node runs: what is due by its
/// age is removed for good, and a clock may be wrong for a minute.
class age_clock {
public:
  /// `wall` is in Unix time, `passed` by a clock that nobody sets. Steps of
  /// less than a minute between two looks are none.
  retention_time look(microseconds wall, microseconds passed);

private:
  bool has_looked_ = false;
  microseconds passed_{0};
  retention_time last_ = {};
};

/// The verdict on each of a host's snapshots. What is due is needed by none
/// but what is due as well.
retention_verdicts judge(const config::retention_section& rules,
                         const std::vector<snapshot_info>& snapshots,
                         const snapshot_users& users,
                         const retention_time& time);

/// What is due, at most `count` of it, in an order in which it can be
/// removed: a diff before its base, else what its store got first.
std::vector<snapshot_tag>
removal_order(const retention_verdicts& verdicts,
              const std::vector<snapshot_info>& snapshots, std::size_t count);

} // namespace forkfleet
