// SPDX-License-Identifier: Apache-2.0
// Pure: the nodes of the fleet, what they can take, and when each was last
// heard. Says who is up, late or down; holds no handles.
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "actors/membership_protocol.hpp"

namespace forkfleet {

/// How much silence means what.
struct node_limits {
  milliseconds heartbeat{1000};    // nodes show a sign of life this often
  milliseconds node_timeout{5000}; // silence after which a node is down
};

/// What a hello meant.
enum class join_kind : uint8_t {
  first,   // this host was not up
  again,   // the same node, over a new connection
  replaced // a newer node took the place of one that was up
};

/// The nodes by their host. Only hosts of the fleet file may join.
class node_table {
public:
  using time_point = std::chrono::steady_clock::time_point;

  node_table(const std::vector<host_name>& expected, node_limits limits);

  /// Takes a hello. Refuses with not_permitted another protocol number, a
  /// host that is not in the fleet file, and an older incarnation than the
  /// one that is up.
  expected<join_kind> join(const node_hello& hello, time_point now);

  /// Whether this incarnation is the one that is up. not_ready asks the
  /// node to say hello; not_permitted tells an old one that it was replaced.
  status admit(const host_name& host, uint64_t incarnation) const;

  /// Takes a sign of life. False: the node must say hello (again).
  bool hear(const node_heartbeat& beat, time_point now);

  /// Notes that the node told its whole inventory.
  void set_inventoried(const host_name& host);

  /// The node is gone: its connection broke or it left. Returns false when
  /// it was not up.
  bool lose(const host_name& host);

  /// Hosts whose silence has made them down since the last call; they are
  /// lost.
  std::vector<host_name> sweep(time_point now);

  /// Whether requests can go there.
  bool is_up(const host_name& host) const;

  /// Whether the fleet file names this host.
  bool is_expected(const host_name& host) const;

  /// Whether each host of the fleet file has told its inventory once.
  bool is_complete() const;

  /// Hosts that have not told their inventory yet.
  std::vector<host_name> missing() const;

  /// Hosts that requests can go to.
  std::vector<host_name> up() const;

  /// A page of nodes after `after`, as they stand at `now`.
  node_list list(const host_name& after, time_point now) const;

private:
  struct entry {
    node_info info = {};
    bool is_up = false;
    bool is_inventoried = false; // once is enough
    time_point heard = {};       // holds a meaning once it has joined
  };

  node_info describe(const entry& x, time_point now) const;

  std::map<host_name, entry> nodes_; // exactly the expected hosts
  node_limits limits_;
};

} // namespace forkfleet
