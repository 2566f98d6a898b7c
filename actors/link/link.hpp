// SPDX-License-Identifier: Apache-2.0
// The link between programs. CAF listens on nothing and dials nothing: a
// guard owns all sockets, checks who is there (mutual TLS) and every frame,
// and passes what is sound to CAF over a socket pair.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/access.hpp"
#include "actors/interfaces.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/limits.hpp"

namespace forkfleet {

/// Whether the program behind a node's handle may speak for that host.
/// Answers at once; safe from any thread. Without TLS every node of the
/// machine may speak for every host.
using peer_check = std::function<status(const node_actor&, const host_name&)>;

/// Who sent a message, by the identity of the program that it came from.
/// Answers at once; nobody, for a program that is not connected.
using subject_lookup = std::function<access_subject(const caf::node_id&)>;

/// A program's link to others. Needs a system with `network`. Used by one
/// thread, but for what says otherwise. Destroy it before the actor system;
/// a coordinator that it served must still be ended by an exit message,
/// because CAF keeps what was published.
class fleet_link {
public:
  /// Starts the guard's thread. `limits` bound what a peer can cost.
  explicit fleet_link(caf::actor_system& sys, const link_limits& limits = {});
  /// Calls `shut_down`.
  ~fleet_link();
  fleet_link(const fleet_link&) = delete;
  fleet_link& operator=(const fleet_link&) = delete;

  /// Lets others reach `coordinator` at `where`; port 0 picks a free one.
  /// Returns the port. Without TLS `where` must be loopback, and `tls.token`
  /// the directory of the tokens that are taken; a Unix socket needs neither,
  /// and serves this user and root. May be called for several endpoints.
  /// invalid_request for a bad endpoint or bad certificates, io_failed when the
  /// port cannot be had.
  expected<uint16_t> listen(const link_endpoint& where, const tls_material& tls,
                            const coordinator_actor& coordinator);

  /// An actor that dials `where`, once per request, and answers with a fresh
  /// handle. A new dial first drops the connection of the one before. With
  /// TLS the other side's certificate must name `where.host`. Errors:
  /// node_down (nobody there), deadline_exceeded, not_permitted (TLS or
  /// frames refused), invalid_request (bad certificates), shutting_down.
  connector_actor connector(const link_endpoint& where,
                            const tls_material& tls);

  /// For the coordinator, to check a hello: with TLS the certificate of the
  /// connection behind the handle must be `node:<host>`. Stays valid after
  /// the link's end, and then refuses.
  peer_check check_peer() const;

  /// Who is at the other end of a handle's connection: "node:h1",
  /// "client:ann", "coordinator", "loopback" without TLS; empty when there
  /// is no connection.
  std::string identity_behind(const node_actor& handle) const;

  /// Who is behind a program's identity, and what he may ask. Stays valid
  /// after the link's end, and then knows nobody. Safe from any thread.
  subject_lookup subjects() const;

  /// Turns these away from now on, and no others; ends their connections.
  /// Entries as `access_list` takes them.
  void deny(std::vector<std::string> entries);

  /// What has happened so far. Safe from any thread.
  link_counters counters() const;

  /// Closes all ports and connections and ends the guard and the connectors.
  /// Returns when the guard's thread has ended. Idempotent.
  void shut_down();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace forkfleet
