// SPDX-License-Identifier: Apache-2.0
#include "node/admission.hpp"

#include <algorithm>
#include <set>

namespace forkfleet {

expected<admitted> admission::admit(const branch_request& request) {
  if (auto free = check_tag(request.tag); !free)
    return tl::unexpected(free.error());
  auto taken = place{request.operation, request.sandbox, request.tag};
  if (holders_.size() < slots_ && !is_branched(request.sandbox)
      && !waits(request.sandbox)) {
    holders_.emplace(request.operation, std::move(taken));
    return admitted::running;
  }
  if (queue_.size() >= queue_max_)
    return fail(ec::node_busy,
                "all " + std::to_string(slots_) + " branch slots are taken and "
                  + std::to_string(queue_max_) + " branches wait");
  queue_.push_back(std::move(taken));
  return admitted::queued;
}

void admission::release(const operation_id& operation) {
  holders_.erase(operation);
  queue_.remove_if([&](const place& x) { return x.operation == operation; });
}

std::vector<operation_id> admission::take_turns() {
  auto result = std::vector<operation_id>{};
  auto passed = std::set<sandbox_id>{};
  for (auto it = queue_.begin();
       it != queue_.end() && holders_.size() < slots_;) {
    // Who waits behind another branch of its source waits on.
    if (!passed.insert(it->source).second || is_branched(it->source)) {
      ++it;
      continue;
    }
    result.push_back(it->operation);
    holders_.emplace(it->operation, std::move(*it));
    it = queue_.erase(it);
  }
  return result;
}

bool admission::is_queued(const operation_id& operation) const {
  return std::ranges::any_of(
    queue_, [&](const place& x) { return x.operation == operation; });
}

status admission::check_tag(const snapshot_tag& tag) const {
  const auto taken = [&](const place& x) -> status {
    return fail(ec::snapshot_exists,
                tag.value + " is being made by " + x.operation.value);
  };
  for (const auto& [operation, x] : holders_)
    if (x.tag == tag)
      return taken(x);
  for (const auto& x : queue_)
    if (x.tag == tag)
      return taken(x);
  return {};
}

bool admission::is_branched(const sandbox_id& source) const {
  return std::ranges::any_of(
    holders_, [&](const auto& item) { return item.second.source == source; });
}

bool admission::waits(const sandbox_id& source) const {
  return std::ranges::any_of(
    queue_, [&](const place& x) { return x.source == source; });
}

} // namespace forkfleet
