// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/method_choice.hpp"

#include <vector>

namespace forkfleet::qemu {

namespace {

// Why this method cannot know what differs from the base.
std::string base_obstacle(const method_facts& facts,
                          const std::string& base_hash) {
  if (facts.since.empty())
    return "changes are not known against any snapshot yet";
  if (facts.since != base_hash)
    return "changes are known against another snapshot than the base";
  return {};
}

std::string obstacle_to(method_kind kind, const method_facts& facts,
                        capture_scope scope, const std::string& base_hash) {
  const bool is_diff = scope == capture_scope::changed;
  if (const auto& missed = facts.missed[static_cast<std::size_t>(kind)];
      !missed.empty())
    return missed;
  switch (kind) {
    case method_kind::tracked:
      if (!facts.tracking_obstacle.empty() || !is_diff)
        return facts.tracking_obstacle;
      return base_obstacle(facts, base_hash);
    case method_kind::page_map:
      if (!facts.page_map_obstacle.empty())
        return facts.page_map_obstacle;
      return base_obstacle(facts, base_hash);
    case method_kind::background:
      return facts.background_obstacle;
    case method_kind::stopped_copy:
      return facts.read_obstacle;
    case method_kind::stopped_send:
      return {};
  }
  return {};
}

// Where changes can be tracked a full snapshot costs a short pause only, and
// mends the track: nobody has to compare contents for a lost one.
std::vector<method_kind> allowed(const method_facts& facts, branch_mode mode,
                                 capture_scope scope) {
  using enum method_kind;
  const bool can_track =
    facts.tracking_obstacle.empty()
    && facts.missed[static_cast<std::size_t>(tracked)].empty();
  if (scope == capture_scope::changed && can_track)
    return {tracked};
  if (scope == capture_scope::changed)
    return {tracked, page_map, background, stopped_copy, stopped_send};
  if (mode == branch_mode::live)
    return {tracked, background};
  return {tracked, background, stopped_copy, stopped_send};
}

} // namespace

std::string_view name_of(method_kind x) {
  switch (x) {
    case method_kind::tracked:
      return "tracked";
    case method_kind::page_map:
      return "page-map";
    case method_kind::background:
      return "background-snapshot";
    case method_kind::stopped_copy:
      return "stopped-copy";
    case method_kind::stopped_send:
      return "stopped-send";
  }
  return "?";
}

expected<method_choice> choose_method(const method_facts& facts,
                                      branch_mode mode, capture_scope scope,
                                      const std::string& base_hash) {
  if (!facts.refusal.empty())
    return fail(ec::unsupported,
                "no snapshot of this VM could be restored: " + facts.refusal);
  auto reason = std::string{};
  for (const auto kind : allowed(facts, mode, scope)) {
    const auto obstacle = obstacle_to(kind, facts, scope, base_hash);
    if (obstacle.empty())
      return method_choice{kind, reason};
    if (!reason.empty())
      reason += "; ";
    reason += "not " + std::string{name_of(kind)} + ": " + obstacle;
  }
  return fail(ec::unsupported, reason);
}

} // namespace forkfleet::qemu
