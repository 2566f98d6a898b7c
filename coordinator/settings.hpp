// SPDX-License-Identifier: Apache-2.0
// What the COORDINATOR is told at its start: taken from the fleet file, the
// rest is made by the program. Knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "config/fleet_file.hpp"

namespace forkfleet {

/// Constant once the actor runs.
struct coordinator_settings {
  /// The hosts that may join; the fleet is complete when all have.
  std::vector<host_name> hosts = {};
  milliseconds heartbeat{1000};    // how often nodes show a sign of life
  milliseconds node_timeout{5000}; // silence after which a node is down
  milliseconds deadline{60000};    // of a request that names none
  /// How long an answer may take beyond its request's deadline, for the way.
  milliseconds request_slack{2000};
  std::size_t events_kept = 10000;
  std::size_t operations_kept = 10000; // ended ones
  std::size_t operations_open_max = 4096;
  std::size_t waiters_max = 64;   // requests that wait for one operation
  std::size_t errands_max = 1024; // other requests to nodes in flight
  std::size_t followers_max = 64; // clients that wait for events
  /// Greater than that of any coordinator before.
  uint64_t epoch = 1;
  /// Seeds the ids that are made for requests without one.
  uint64_t seed = 1;
  /// Unix time less the actor clock's.
  microseconds unix_offset{0};
};

/// The longest deadline that a request may ask for.
inline constexpr milliseconds request_deadline_max = std::chrono::hours{1};
/// The longest pause that a request may allow.
inline constexpr milliseconds max_pause_most = std::chrono::seconds{60};
/// The longest time that a request for events may wait.
inline constexpr milliseconds events_wait_max = std::chrono::seconds{30};

/// What the fleet file says; epoch, seed and offset keep their defaults.
coordinator_settings settings_of(const config::fleet_file& fleet);

} // namespace forkfleet
