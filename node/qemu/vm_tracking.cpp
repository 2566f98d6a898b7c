// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_tracking.hpp"

#include <utility>

#include "node/qemu/guest_memory.hpp"
#include "node/qemu/migration.hpp"

namespace forkfleet::qemu {

status vm_tracking::look(qmp_client& qmp, keeper_link* keeper,
                         deadline_point until) {
  auto verdict = survey(qmp, until);
  if (!verdict)
    return tl::unexpected(verdict.error());
  facts_.refusal = std::move(verdict->refusal);
  facts_.missed = std::move(verdict->missed);
  takes_input_ = verdict->takes_input;
  const auto& why =
    facts_.missed[static_cast<std::size_t>(method_kind::tracked)];
  if (!why.empty()) {
    // Nobody knows what it missed since: it is not tracked again.
    facts_.tracking_obstacle = why;
    if (tracker_) {
      tracker_->release();
      tracker_.reset();
      has_looked_ = false;
    }
  }
  if (!has_looked_) {
    if (facts_.tracking_obstacle.empty())
      open_tracker(qmp, keeper, until);
    if (auto looked = look_at_others(qmp, until); !looked)
      return looked;
    has_looked_ = true;
  }
  facts_.since = since();
  return {};
}

expected<inventory_verdict> vm_tracking::survey(qmp_client& qmp,
                                                deadline_point until) {
  auto found = survey_vm(qmp, place_.survey, until);
  if (!found)
    return tl::unexpected(found.error());
  // The same memory stays where it is as long as the process lives.
  if (!std::exchange(has_found_memory_, true))
    find_memory(qmp, found->memory_begin);
  found->facts.memory = kind_;
  found->facts.is_child = !place_.path.empty();
  return judge(found->facts);
}

// `told` is what QEMU says; a child's was found by what it maps.
void vm_tracking::find_memory(qmp_client& qmp, uint64_t told) {
  const auto begin = place_.begin != 0 ? place_.begin : told;
  auto memory =
    told != 0 && begin != told
      ? fail(ec::unsupported, "QEMU's guest memory is not what it maps of the "
                              "snapshot")
      : guest_memory::open(qmp.process(), place_.bytes, place_.path, begin);
  facts_.read_obstacle = memory ? "" : memory.error().message;
  begin_ = memory ? memory->begin() : 0;
  kind_ = memory ? memory->kind() : memory_kind::shared;
}

status vm_tracking::look_again(qmp_client& qmp, method_kind used,
                               deadline_point until) {
  const auto verdict = survey(qmp, until);
  if (!verdict)
    return tl::unexpected(verdict.error());
  const auto& missed = verdict->missed_by(used);
  if (!missed.empty() || !verdict->refusal.empty())
    return fail(ec::vmm_refused,
                qmp.path() + ": the VM was changed while it was branched: "
                  + (missed.empty() ? verdict->refusal : missed)
                  + "; branch again");
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
    scope == capture_scope::changed || kind_ == memory_kind::private_anonymous;
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
