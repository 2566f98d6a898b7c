// SPDX-License-Identifier: Apache-2.0
// Pure: the nodes of the fleet, what they can take, and when each was last
// heard. Says who is up, late or down; holds no handles. A host's name belongs
// to one node at a time: it is told by the identity of its data directory and
// by the random number of its start, never by a counter alone.
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
  /// host that is not in the fleet file, an older incarnation than the one
  /// that is up, and a node of another data directory, or of a copy of it,
  /// while the first is up or was lost too lately to be known dead.
  expected<join_kind> join(const node_hello& hello, time_point now);

  /// Whether this start of this incarnation is the one that is up. not_ready
  /// asks the node to say hello; not_permitted tells one that is not taken
  /// for this host's node any more.
  status admit(const host_name& host, uint64_t incarnation,
               uint64_t life) const;

  /// Takes a sign of life. False: the node must say hello (again).
  bool hear(const node_heartbeat& beat, time_point now);

  /// Notes that the node told its whole inventory, as of this life.
  void set_inventoried(const host_name& host);

  /// The node does not answer: its connection broke. It may live all the
  /// same, so its name stays its own for a while. False: it was not up.
  bool lose(const host_name& host);

  /// The node has left on purpose: its name is free.
  void leave(const host_name& host);

  /// Hosts whose silence has made them down since the last call; they are
  /// lost.
  std::vector<host_name> sweep(time_point now);

  /// Whether what is known of the host is what its node found after its last
  /// start. Until then it is what an earlier one told.
  bool has_told(const host_name& host) const;

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
    uint64_t life = 0;
    bool has_left = true;        // or was never there: nobody has the name
    bool is_inventoried = false; // once is enough
    bool has_told = false;       // in this life
    time_point heard = {};       // holds a meaning once it has joined
  };

  node_info describe(const entry& x, time_point now) const;
  status check_identity(const entry& x, const node_hello& hello,
                        time_point now) const;

  std::map<host_name, entry> nodes_; // exactly the expected hosts
  node_limits limits_;
};

} // namespace forkfleet
