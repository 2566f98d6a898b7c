// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_tracking.hpp"

#include "node/qemu/guest_memory.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/tracking_obstacle.hpp"

namespace forkfleet::qemu {

status vm_tracking::look(qmp_client& qmp, keeper_link* keeper,
                         deadline_point until) {
  if (auto looked = look_at_devices(qmp, until); !looked)
    return looked;
  if (!has_looked_) {
    auto memory = guest_memory::open(qmp.process(), place_.bytes, place_.path,
                                     place_.begin);
    facts_.read_obstacle = memory ? "" : memory.error().message;
    begin_ = memory ? memory->begin() : 0;
    if (facts_.tracking_obstacle.empty())
      open_tracker(qmp, keeper, until);
    if (auto looked = look_at_others(qmp, until); !looked)
      return looked;
    has_looked_ = true;
  }
  facts_.since = since();
  return {};
}

// Devices come and go while the VM runs.
status vm_tracking::look_at_devices(qmp_client& qmp, deadline_point until) {
  const auto why = tracking_obstacle(qmp, until);
  if (!why)
    return tl::unexpected(why.error());
  if (why->empty())
    return {};
  facts_.tracking_obstacle = *why;
  if (tracker_) {
    tracker_->release();
    tracker_.reset();
    has_looked_ = false;
  }
  return {};
}

void vm_tracking::open_tracker(qmp_client& qmp, keeper_link* keeper,
                               deadline_point until) {
  auto& why = facts_.tracking_obstacle;
  if (place_.attached) {
    why = "somebody else started this VM, without the preload library";
  } else if (!facts_.read_obstacle.empty()) {
    why = facts_.read_obstacle;
  } else if (!keeper) {
    why = "no keeper has its userfaultfd";
  } else {
    auto given = keeper->tracker(until);
    auto opened = given ? page_tracker::open({.process = qmp.process(),
                                              .begin = begin_,
                                              .bytes = place_.bytes,
                                              .directory = place_.directory,
                                              .origin = place_.origin},
                                             std::move(*given))
                        : tl::unexpected(given.error());
    if (opened)
      tracker_.emplace(std::move(*opened));
    else
      why = opened.error().message;
  }
}

// What is used where there is no tracker. A tracked memory cannot be
// protected by QEMU as well, so it is not asked.
status vm_tracking::look_at_others(qmp_client& qmp, deadline_point until) {
  facts_.page_map_obstacle = "it is not a child of a snapshot";
  pages_.reset();
  if (begin_ != 0)
    if (auto pages = page_map::open(qmp.process().pid)) {
      pages_.emplace(std::move(*pages));
      if (!place_.origin.empty())
        facts_.page_map_obstacle.clear();
    }
  facts_.background_obstacle = "its memory is tracked";
  if (tracker_)
    return {};
  // The capability cannot be touched while an earlier capture drains.
  if (auto idle = wait_until_idle(qmp, until); !idle)
    return idle;
  const auto tried = try_background_snapshot(qmp, until);
  if (!tried && tried.error().code != ec::vmm_refused)
    return tried;
  facts_.background_obstacle = tried ? "" : tried.error().message;
  if (!tried && !place_.path.empty())
    facts_.background_obstacle +=
      "; it maps " + place_.path
      + ", and QEMU can write-protect a child only on tmpfs";
  return {};
}

std::string vm_tracking::since() const {
  if (tracker_)
    return tracker_->since();
  return facts_.page_map_obstacle.empty() ? own_since_ : std::string{};
}

uint64_t vm_tracking::bytes_of(capture_scope scope) const {
  if (tracker_ && scope == capture_scope::changed)
    return tracker_->changed_bytes();
  const bool rest_is_known =
    scope == capture_scope::changed || place_.path.empty();
  auto found = std::vector<page_run>{};
  if (!pages_ || !rest_is_known
      || !pages_->scan(begin_, place_.bytes, page_question::own, false, found))
    return place_.bytes;
  uint64_t sum = 0;
  for (const auto& run : found)
    sum += run.is_zero ? 0 : run.range.bytes();
  return sum;
}

void vm_tracking::commit(const std::string& root_hash,
                         bool by_tracker) noexcept {
  // What a child has of its own is more than what changed since then, but
  // nothing is missing.
  own_since_ = root_hash;
  if (tracker_ && by_tracker)
    tracker_->commit(root_hash);
  else if (tracker_)
    tracker_->rebase(root_hash);
}

} // namespace forkfleet::qemu
