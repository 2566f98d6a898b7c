// SPDX-License-Identifier: Apache-2.0
#include "coordinator/audit_budget.hpp"

namespace forkfleet {

bool audit_budget::take(const audit_record& refused, time_point now) {
  const auto is_new = !entries_.contains(refused.subject);
  const auto key =
    is_new && entries_.size() >= subjects_max ? std::string{} : refused.subject;
  auto& x = entries_[key];
  if (x.begun == time_point{})
    x.begun = now;
  if (x.written < refusals_max) {
    ++x.written;
    return true;
  }
  x.last = refused;
  ++x.suppressed;
  return false;
}

std::vector<audit_record> audit_budget::take_suppressed(time_point now) {
  auto result = std::vector<audit_record>{};
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& x = at->second;
    if (now - x.begun < stretch) {
      ++at;
      continue;
    }
    if (x.suppressed > 0) {
      x.last.event = "suppressed";
      x.last.count = x.suppressed;
      result.push_back(x.last);
    }
    at = entries_.erase(at);
  }
  return result;
}

} // namespace forkfleet
