// SPDX-License-Identifier: Apache-2.0
// The networks of one node's sandboxes: a namespace for each, with a tap for
// its guest and a link to the host, and rules before either. Planned and
// remembered before anything is made, removed with the sandbox' record. Knows
// no CAF.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "config/fleet_file.hpp"
#include "node/network/address_plan.hpp"
#include "node/storage/file.hpp"
#include "node/storage/file_identity.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// Why this process can give no sandbox a network namespace; empty: it can.
/// Tries it in a child, which a library may end, and leaves nothing.
std::string isolation_obstacle();

/// What a snapshot's children are connected like.
sandbox_network network_of(const run_contract& contract);

/// Thread-safe for different sandboxes.
class sandbox_networks {
public:
  /// `range` is the host's; `data` the node's data directory. `obstacle` as
  /// of isolation_obstacle().
  sandbox_networks(ipv4_network range, const std::string& data,
                   std::string obstacle);

  /// Whether sandboxes get namespaces, or why not.
  std::string describe() const;

  /// What a sandbox at `place` that was declared so is going to have. To be
  /// remembered before `make`. unsupported: not on this host.
  expected<sandbox_network> plan(const config::network_section& wanted,
                                 const sandbox_id& place);

  /// The same for a child of a snapshot: its device cannot be another.
  expected<sandbox_network> plan_child(const run_contract& contract,
                                       const sandbox_id& place);

  /// One of an earlier life: its addresses are taken.
  void claim(const sandbox_network& x);

  /// Makes it, or what is missing of it, and gives it these addresses and
  /// rules. After an error what was made is left: `remove` it.
  status make(const sandbox_network& x);

  /// Removes it; also correct when there is none. The namespace itself ends
  /// with the last process in it.
  status remove(const sandbox_network& x);

private:
  expected<sandbox_network> place(sandbox_network x, const sandbox_id& place);
  expected<std::set<uint32_t>> taken() const;
  status prepare_host();

  const ipv4_network range_;
  const std::string data_;
  const std::string prefix_;
  const std::string obstacle_;
  std::mutex mutex_ = {};
  std::map<std::string, std::string> claimed_ = {}; // address, by space
  bool is_prepared_ = false;
};

/// What there is of all networks of a data directory, seen from outside.
struct network_thing {
  std::string where = {};      // a path, "link NAME" or "table NAME"
  std::string space = {};      // empty: the host's table
  file_identity identity = {}; // of a link its number, of a table nothing
};

/// In the calling thread's namespace, and /run/netns. io_failed names what
/// could not be looked at.
expected<std::vector<network_thing>> look_at_networks(const std::string& data);

/// Whether it is still the very thing; unknown: its place cannot be looked at.
presence look_for(const network_thing& x);

/// Removes what is at `where` if it is still the very thing; also correct
/// when nothing is.
status remove_network_thing(const std::string& where,
                            const file_identity& identity);

} // namespace forkfleet
