// SPDX-License-Identifier: Apache-2.0
// Programs that talk over real links, all within one test process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/client.hpp"
#include "actors/link/link.hpp"
#include "actors/system_config.hpp"

namespace forkfleet::test {

/// The same limits, with loopback ports that prove nothing.
link_limits open_to_all(link_limits limits = {});

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

/// A directory of tokens with one of an admin in it; removed at the end.
class token_place {
public:
  token_place();
  ~token_place();
  token_place(const token_place&) = delete;
  token_place& operator=(const token_place&) = delete;

  /// What who listens needs, and the file that who dials needs.
  tls_material tokens() const { return {.token = directory_}; }
  const std::string& file() const { return file_; }
  /// An environment in which the tool finds it.
  std::optional<std::string> environment(const std::string& name) const;

private:
  std::string directory_;
  std::string file_;
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
