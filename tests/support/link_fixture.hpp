// SPDX-License-Identifier: Apache-2.0
// Programs that talk over real links, all within one test process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/client.hpp"
#include "actors/link/link.hpp"
#include "actors/system_config.hpp"

namespace forkfleet::test {

/// A program: an actor system and its link. Ends its actors with itself.
class program {
public:
  explicit program(const link_limits& limits = {});
  ~program();

  caf::actor_system& system() { return system_; }
  fleet_link& link() { return link_; }

  /// Becomes a coordinator; returns the port.
  uint16_t serve(const tls_material& tls = {},
                 const std::string& host = "127.0.0.1", uint16_t port = 0);

  /// The fake coordinator's actor, without a port.
  coordinator_actor make_coordinator();

  /// A node's actor, which answers branches with its host's name; one that is
  /// to have labels with more than a frame may have.
  node_actor make_node(const std::string& host);

  /// Dials and says hello as `host`; waits for at most `limit`.
  expected<node_welcome> join(const link_endpoint& where,
                              const tls_material& tls, const std::string& host,
                              milliseconds limit = milliseconds{20000});

  /// Dials; for the failures.
  expected<coordinator_actor> connect(const link_endpoint& where,
                                      const tls_material& tls = {});

private:
  system_config config_;
  caf::actor_system system_;
  fleet_link link_;
  coordinator_actor coordinator_;
  std::vector<node_actor> nodes_;
};

/// A client of 127.0.0.1:`port`.
client make_client(
  uint16_t port, const tls_material& tls = {},
  std::chrono::milliseconds connect = std::chrono::milliseconds{3000});

/// Waits until `is_so` or 20 s have passed; returns whether it is so.
bool eventually(const std::function<bool()>& is_so);

/// This process' resident memory.
std::size_t resident_bytes();

} // namespace forkfleet::test
