// SPDX-License-Identifier: Apache-2.0
// From the command line to the coordinator of the fleet that is meant.
#pragma once

#include <optional>
#include <vector>

#include <tl/expected.hpp>

#include "actors/client.hpp"
#include "actors/shell/session.hpp"

namespace forkfleet::shell {

/// The options that say which fleet; every verb has them.
std::vector<config::option> fleet_option_table();

/// How to reach a fleet, and its file where there is one.
struct fleet_address {
  client_settings settings = {};
  std::optional<config::fleet_file> file = {};
};

/// The fleet that the command line means. What is wrong has been told; the
/// error is the exit code.
tl::expected<fleet_address, exit_code>
find_fleet(session& io, const config::invocation& given);

/// A coordinator that was reached, and how.
struct reached_fleet {
  fleet_address where = {};
  client fleet;
};

/// The same, connected. A coordinator that is not there has been told, with
/// how to start one.
tl::expected<reached_fleet, exit_code>
reach_fleet(session& io, const config::invocation& given);

/// A fleet file and its absolute path.
struct loaded_fleet {
  config::fleet_file file = {};
  std::string path = {};
};

/// Reads a fleet file. What is wrong has been told; the error is the exit
/// code.
tl::expected<loaded_fleet, exit_code>
load_fleet(session& io, const config::invocation& given,
           const std::string& path);

/// How the tool reaches the coordinator of `fleet`: by its socket, or at its
/// port with certificates. One that listens on every address is reached by
/// loopback.
client_settings settings_of(const config::fleet_file& fleet);

/// What --timeout says.
std::chrono::milliseconds timeout_of(const config::invocation& given);

/// The fleet's nodes, sandboxes, snapshots, page after page, at most
/// `list_entries_max` of them.
inline constexpr std::size_t list_entries_max = 100'000;
expected<std::vector<node_info>> all_nodes(client& fleet,
                                           std::chrono::milliseconds timeout);
expected<std::vector<sandbox_info>>
all_sandboxes(client& fleet, std::chrono::milliseconds timeout);
expected<std::vector<snapshot_info>>
all_snapshots(client& fleet, std::chrono::milliseconds timeout);

} // namespace forkfleet::shell
