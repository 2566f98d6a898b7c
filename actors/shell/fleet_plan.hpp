// SPDX-License-Identifier: Apache-2.0
// Which programs `up` starts on this machine, and when the fleet counts as
// ready. Pure: is told the file, the machine, and what the fleet says.
#pragma once

#include <string>
#include <vector>

#include "actors/fleet_protocol.hpp"
#include "actors/shell/child_process.hpp"
#include "actors/shell/machine.hpp"
#include "config/fleet_file.hpp"

namespace forkfleet::shell {

/// Where our programs are, and how to run them.
struct launch_settings {
  std::string fleet_path = {}; // absolute
  std::string coordinator_program = {};
  std::string node_program = {};
  std::string log_directory = {};
  /// Sandboxes end with this process; 0: they may outlive it.
  int leash = 0;
  /// Whether a node that is told to end ends its sandboxes too.
  bool stop_sandboxes = true;
};

/// What this machine runs of a fleet.
struct fleet_plan {
  /// In the order in which they start: the coordinator, then the nodes.
  std::vector<program> programs = {};
  bool has_coordinator = false;
  std::vector<host_name> hosts = {};
  /// Hosts of other machines; nobody waits for them.
  std::vector<host_name> elsewhere = {};
};

fleet_plan plan_fleet(const config::fleet_file& fleet, const machine& here,
                      const launch_settings& settings);

/// How far the part of the fleet is that this machine runs.
struct readiness {
  enum class verdict : unsigned char { waiting, ready, failed };
  verdict what = verdict::waiting;
  /// What is waited for, or what failed.
  std::string text = {};
};

/// Judges by what the coordinator tells: each host of the plan must be up
/// and each sandbox that the file declares there must run. One that ended by
/// itself or is stuck has failed.
readiness judge(const config::fleet_file& fleet, const fleet_plan& plan,
                const std::vector<node_info>& nodes,
                const std::vector<sandbox_info>& sandboxes);

} // namespace forkfleet::shell
