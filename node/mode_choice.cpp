// SPDX-License-Identifier: Apache-2.0
#include "node/mode_choice.hpp"

#include <tuple>
#include <utility>

namespace forkfleet {

namespace {

/// By the order of their store; by the clock where that is not known.
bool came_later(const snapshot_info& x, const snapshot_info& other) {
  return std::tie(x.sequence, x.created_at)
         >= std::tie(other.sequence, other.created_at);
}

/// A way, or what stands in it.
struct candidate {
  bool is_there = false;
  mode_choice way = {};
  std::string obstacle = {};
};

candidate there(mode_choice way) {
  return {.is_there = true, .way = std::move(way)};
}

candidate not_there(std::string obstacle) {
  return {.obstacle = std::move(obstacle)};
}

uint64_t depth_max(const mode_question& x) {
  return x.chain_depth * chain_depth_factor;
}

bool chain_is_full(const mode_question& x) {
  return x.base.depth >= depth_max(x);
}

candidate find_diff(const mode_question& x) {
  if (!x.vm.diff)
    return not_there("not diff: " + x.vm.diff_obstacle);
  if (x.base.tag.empty())
    return not_there("not diff: " + x.base_obstacle);
  return there({.mode = branch_mode::diff,
                .scope = capture_scope::changed,
                .form = memory_form::diff,
                .is_tracked = x.vm.diff_is_tracked,
                .flattens_base = chain_is_full(x)});
}

/// Only the changes are copied, into a clone of the base's flat image.
candidate find_clone(const mode_question& x) {
  if (!x.vm.full)
    return not_there("not full: " + x.vm.full_obstacle);
  if (!x.vm.diff || !x.vm.diff_is_tracked)
    return not_there("not a clone: changes are not tracked");
  if (x.base.tag.empty())
    return not_there("not a clone: " + x.base_obstacle);
  if (!x.can_clone)
    return not_there("not a clone: this file system cannot clone files");
  if (x.base.depth > 0)
    return not_there("not a clone: " + x.base.tag.value
                     + " has no flat image yet");
  return there({.mode = branch_mode::full,
                .scope = capture_scope::changed,
                .form = memory_form::clone,
                .is_tracked = true});
}

candidate find_tracked_full(const mode_question& x) {
  if (!x.vm.full)
    return not_there("not full: " + x.vm.full_obstacle);
  if (!x.vm.full_is_tracked)
    return not_there("not full by tracking: this VM's changes are not tracked");
  return there({.mode = branch_mode::full, .is_tracked = true});
}

candidate find_full(const mode_question& x) {
  if (!x.vm.full)
    return not_there("not full: " + x.vm.full_obstacle);
  return there({.mode = branch_mode::full, .is_tracked = x.vm.full_is_tracked});
}

candidate find_live(const mode_question& x) {
  if (!x.vm.live)
    return not_there("not live: " + x.vm.live_obstacle);
  return there({.mode = branch_mode::live});
}

/// Those that are there, each with the obstacles of the better ones.
std::vector<mode_choice> sift(std::vector<candidate> all) {
  auto result = std::vector<mode_choice>{};
  auto reason = std::string{};
  for (auto& x : all) {
    if (!x.is_there) {
      if (reason.find(x.obstacle) == std::string::npos)
        reason += (reason.empty() ? "" : "; ") + x.obstacle;
      continue;
    }
    x.way.reason = reason;
    result.push_back(std::move(x.way));
  }
  return result;
}

std::vector<candidate> candidates(const mode_question& x, branch_mode mode) {
  switch (mode) {
    case branch_mode::full:
      return {find_clone(x), find_full(x)};
    case branch_mode::live:
      return {find_live(x)};
    case branch_mode::diff:
      return {find_diff(x)};
    case branch_mode::automatic:
      break;
  }
  auto diff = find_diff(x);
  // Flattening takes longer than a copy of all memory.
  if (diff.is_there && diff.way.flattens_base && x.vm.full_is_tracked)
    diff = not_there("not diff: the chain of " + x.base.tag.value + " has "
                     + std::to_string(x.base.depth)
                     + " diffs and waits to be flattened");
  auto result = std::vector{diff, find_tracked_full(x), find_live(x)};
  if (!x.vm.full_is_tracked)
    result.push_back(find_full(x));
  return result;
}

std::string join_obstacles(const std::vector<candidate>& all) {
  auto result = std::string{};
  for (const auto& x : all)
    if (result.find(x.obstacle) == std::string::npos)
      result += (result.empty() ? "" : "; ") + x.obstacle;
  return result;
}

} // namespace

expected<std::vector<mode_choice>> list_modes(const mode_question& question) {
  const auto mode =
    question.asked == branch_mode::automatic ? question.policy : question.asked;
  auto all = candidates(question, mode);
  auto result = sift(all);
  if (result.empty())
    return fail(ec::unsupported, join_obstacles(all));
  return result;
}

snapshot_info pick_base(const std::vector<snapshot_info>& sealed,
                        const sandbox_id& source, const snapshot_tag& parent,
                        uint64_t memory_bytes) {
  auto result = snapshot_info{};
  bool has_own = false;
  for (const auto& x : sealed) {
    if (x.memory_bytes != memory_bytes)
      continue;
    // An archive's word that it is of this sandbox is not believed.
    const bool is_own =
      x.source == source && x.origin != snapshot_origin::imported;
    if (is_own ? !has_own || came_later(x, result)
               : !has_own && !parent.empty() && x.tag == parent) {
      result = x;
      has_own = is_own;
    }
  }
  return result;
}

} // namespace forkfleet
