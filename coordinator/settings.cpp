// SPDX-License-Identifier: Apache-2.0
#include "coordinator/settings.hpp"

namespace forkfleet {

coordinator_settings settings_of(const config::fleet_file& fleet) {
  auto result = coordinator_settings{};
  for (const auto& host : fleet.hosts)
    result.hosts.push_back(host.name);
  result.heartbeat = fleet.coordinator.heartbeat;
  result.node_timeout = fleet.coordinator.node_timeout;
  result.deadline = fleet.branch.deadline;
  result.events_kept = fleet.coordinator.events_kept;
  result.operations_kept = fleet.coordinator.operations_kept;
  return result;
}

} // namespace forkfleet
