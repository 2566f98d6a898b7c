// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_watch.hpp"

#include <algorithm>
#include <thread>

#include "actors/shell/connection.hpp"

namespace forkfleet::shell {

bool is_unproved(const expected<restore_report>& x) {
  return x && !x->outcome && x->sandbox.state == sandbox_state::running
         && x->sandbox.identity.entropy.empty();
}

expected<restore_report> judged(expected<restore_report> x,
                                const sandbox_info* seen) {
  if (!is_unproved(x))
    return x;
  const bool is_gone = seen == nullptr || seen->state == sandbox_state::gone
                       || seen->state == sandbox_state::stopped;
  if (!is_gone)
    return x;
  const auto name = x->sandbox.id.value;
  const auto note = seen == nullptr || seen->note.empty()
                      ? std::string{"nobody says why"}
                      : seen->note;
  x->outcome = {ec::vmm_gone, name + " ended within its first second: " + note};
  if (seen != nullptr)
    x->sandbox = *seen;
  return x;
}

void watch_children(client& fleet,
                    std::vector<expected<restore_report>>& results,
                    milliseconds timeout) {
  if (std::ranges::none_of(results, is_unproved))
    return;
  std::this_thread::sleep_for(child_watch);
  const auto all = all_sandboxes(fleet, timeout);
  if (!all)
    return;
  for (auto& x : results) {
    if (!is_unproved(x))
      continue;
    const auto found =
      std::ranges::find(*all, x->sandbox.id, &sandbox_info::id);
    x = judged(std::move(x), found == all->end() ? nullptr : &*found);
  }
}

} // namespace forkfleet::shell
