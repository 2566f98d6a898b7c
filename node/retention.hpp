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

/// The verdict on each of a host's snapshots. What is due is needed by none
/// but what is due as well.
retention_verdicts judge(const config::retention_section& rules,
                         const std::vector<snapshot_info>& snapshots,
                         const snapshot_users& users, microseconds unix_now);

/// What is due, at most `count` of it, in an order in which it can be
/// removed: a diff before its base, else what its store got first.
std::vector<snapshot_tag>
removal_order(const retention_verdicts& verdicts,
              const std::vector<snapshot_info>& snapshots, std::size_t count);

} // namespace forkfleet
