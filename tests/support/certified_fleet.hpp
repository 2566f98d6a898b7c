// SPDX-License-Identifier: Apache-2.0
// A fleet of real processes on loopback whose programs prove themselves by
// certificates: one host, h1, and one simulated sandbox, a.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/fleet_fixture.hpp"
#include "tests/support/pki_fixture.hpp"

namespace forkfleet::test {

/// Runs when it has been made.
struct certified_fleet {
  certified_fleet();
  ~certified_fleet();

  /// Writes the fleet file with this list of who is denied.
  void write(const std::string& denied) const;
  /// Kills the coordinator and starts the next one.
  void restart_coordinator();
  void start_coordinator();

  client_settings reach(const tls_material& tls) const;
  std::string file() const { return scratch.path() + "/fleet.yaml"; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port); }
  /// What the coordinator logged, and what is in its audit log.
  std::string log() const;
  std::string audit() const;

  scratch_directory scratch = {};
  uint16_t port = free_port();
  authority ours = {};
  tls_material served = ours.coordinator();
  tls_material owner = ours.client("owner");
  tls_material of_node = ours.node("h1");
  std::vector<program_run> coordinator = {};
  std::vector<program_run> node = {};
  std::optional<client> admin = {};
};

/// All of a file; empty when it cannot be read.
std::string content_of(const std::string& path);

} // namespace forkfleet::test
