// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/pause_lease.hpp"

#include <utility>

namespace forkfleet::qemu {

namespace {

// The keeper steps in when we did not within the pause's own limit.
constexpr auto lease_slack = std::chrono::milliseconds{250};
constexpr auto lease_patience = std::chrono::seconds{2};

} // namespace

status pause_lease::begin(keeper_link& keeper,
                          std::chrono::milliseconds pause) {
  is_held_ = true;
  return keeper.lease(pause + lease_slack);
}

void pause_lease::end(keeper_link* keeper, const status& resumed,
                      std::vector<std::string>& warnings) {
  if (!resumed)
    return;
  if (!std::exchange(is_held_, false) || keeper == nullptr)
    return;
  const auto in_time =
    keeper->resumed(std::chrono::steady_clock::now() + lease_patience);
  if (!in_time)
    warnings.push_back("the keeper does not answer: "
                       + to_string(in_time.error()));
  else if (!*in_time)
    warnings.emplace_back("the pause was longer than its limit; the keeper has "
                          "resumed the guest");
}

} // namespace forkfleet::qemu
