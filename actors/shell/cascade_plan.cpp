// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/cascade_plan.hpp"

#include <algorithm>
#include <set>

namespace forkfleet::shell {
namespace {

bool may_run(sandbox_state x) {
  return x != sandbox_state::stopped && x != sandbox_state::gone;
}

} // namespace

std::vector<cascade_step> cascade_of(const lineage_tree& tree,
                                     const snapshot_tag& tag) {
  const bool is_there = std::ranges::any_of(tree.entries, [&](const auto& x) {
    return x.snapshot && x.snapshot->tag == tag;
  });
  if (!is_there)
    return {};
  std::vector<cascade_step> result{{tag.value, true, "it was asked for"}};
  std::set<std::string> known{tag.value};
  // Breadth first and then turned around: what needs something comes before
  // it.
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto base = snapshot_tag{result[i].name};
    if (!result[i].is_snapshot)
      continue;
    for (const auto& x : tree.entries) {
      if (x.sandbox && x.sandbox->parent == base && may_run(x.sandbox->state))
        result.push_back({x.name, false, "maps " + base.value});
      if (x.snapshot && x.snapshot->base == base && known.insert(x.name).second)
        result.push_back({x.name, true, "is a diff over " + base.value});
    }
  }
  std::ranges::reverse(result);
  return result;
}

} // namespace forkfleet::shell
