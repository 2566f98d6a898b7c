// SPDX-License-Identifier: Apache-2.0
// Pure: which sandboxes and snapshots there are, on which host, and what
// came from what. Rebuilt from what the nodes tell.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/membership_protocol.hpp"
#include "coordinator/claims.hpp"

namespace forkfleet {

/// One thing that is wrong with what a node told.
struct lineage_problem {
  host_name host = {};
  sandbox_id sandbox = {}; // one of the two is set
  snapshot_tag tag = {};
  std::string message = {};
};

/// The forest of sandboxes and snapshots. A node that is down keeps its
/// names. A parent that was removed is remembered while something came of
/// it, so every edge leads somewhere.
class lineage {
public:
  /// The most names of one kind that a host may have.
  static constexpr std::size_t names_per_host_max = 20000;
  /// The most removed parents that are remembered; beyond it a parent is
  /// only a name.
  static constexpr std::size_t ancestors_max = 20000;

  /// A whole inventory of `host` may follow. What it told of one that was
  /// not finished still counts, unless `interrupt` came between.
  void begin(const host_name& host);

  /// The node is gone: forgets what it told of an unfinished inventory.
  void interrupt(const host_name& host);

  /// Takes what a node tells; the page's host is where it all is. The last
  /// page of a whole inventory ends the claims that it did not renew.
  /// Returns names that another host has, and names that are none.
  std::vector<lineage_problem> apply(const inventory_page& page);

  /// Takes one thing that a report told ahead of the inventory.
  void learn(const sandbox_info& info);
  void learn(const snapshot_info& info);

  /// The host said that it has no such thing (any more).
  void drop(const sandbox_id& id, const host_name& host);
  void drop(const snapshot_tag& tag, const host_name& host);

  /// Null when nobody has it.
  const sandbox_info* find(const sandbox_id& id) const;
  const snapshot_info* find(const snapshot_tag& tag) const;

  /// The sandbox that this rollback or promotion gave its name; null when
  /// none has ended so, or a later one followed.
  const sandbox_info* find_switched(const operation_id& operation) const;

  /// Whether the tag is a snapshot or a removed one that something came of.
  bool has_ancestor(const snapshot_tag& tag) const;

  /// A page of what there is, in order of the names.
  sandbox_list list(const sandboxes_request& request) const;
  snapshot_list list(const snapshots_request& request) const;

private:
  struct inventory {
    std::set<sandbox_id> sandboxes = {};
    std::set<snapshot_tag> snapshots = {};
  };

  void put(const sandbox_info& info, std::vector<lineage_problem>& problems);
  void put(snapshot_info info, std::vector<lineage_problem>& problems);
  void finish(const host_name& host);
  void refer(const snapshot_tag& parent);
  void unrefer(snapshot_tag parent);

  claims<sandbox_id, sandbox_info> sandboxes_;
  claims<snapshot_tag, snapshot_info> snapshots_;
  std::map<host_name, inventory> told_; // by hosts whose inventory is not whole
  std::map<snapshot_tag, std::size_t> children_; // edges that lead to a tag
  std::map<snapshot_tag, snapshot_tag> removed_; // ancestor, its own parent
};

} // namespace forkfleet
