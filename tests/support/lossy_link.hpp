// SPDX-License-Identifier: Apache-2.0
// Links between simulated programs: actors with the COORDINATOR's and the
// NODE's own interfaces that pass on, drop, delay and double what they get.
// Like a TCP connection, each direction keeps its order, and who is gone is
// silent until the connection breaks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/support/world.hpp"

namespace forkfleet::test {

/// What the network does to messages, in percent. Shared by all links and
/// changed as the simulation goes on.
struct link_weather {
  uint64_t drop_percent = 0;
  uint64_t double_percent = 0;
  uint64_t delay_percent = 0;
  std::chrono::microseconds delay_max{50000};
};

/// One connection: both proxies share it. Cut, it is silent: what is on the
/// way is lost, and nobody is told.
struct connection {
  world* where = nullptr;
  std::shared_ptr<link_weather> weather = {};
  bool is_cut = false;
  std::vector<caf::weak_actor_ptr> ends = {};

  /// One of the proxies; it ends with the connection.
  void own(const caf::strong_actor_ptr& proxy);
  /// Breaks it: both sides see the other's handle go DOWN.
  void break_off();
};

using connection_ptr = std::shared_ptr<connection>;

/// A fresh connection's proxy of the COORDINATOR. A hello that passes makes
/// a proxy of the node for the other direction.
coordinator_actor link_to(const connection_ptr& line,
                          const coordinator_actor& target);

} // namespace forkfleet::test
