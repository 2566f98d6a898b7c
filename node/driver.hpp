// SPDX-License-Identifier: Apache-2.0
// The seam to a kind of VMM: starts a sandbox's VM, attaches to one,
// restores one from a snapshot, or finds one again after the node's own
// death. One class per driver. Knows no CAF.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "actors/network_protocol.hpp"
#include "actors/sandbox_protocol.hpp"
#include "config/fleet_file.hpp"
#include "node/console_ring.hpp"
#include "node/host_images.hpp"
#include "node/snapshot_store.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What to start, and where its run files go.
struct start_plan {
  sandbox_id id = {};
  std::string directory = {};        // exists, 0700, this sandbox's own
  config::sandbox_section spec = {}; // for a child: what is known of it
  std::optional<snapshot_files> snapshot = {}; // set: start a child of it
  int leash_pid = 0;       // the VM must not outlive this process; 0: none
  std::string cgroup = {}; // the VM and its keeper run in it; empty: in ours
  sandbox_network network = {}; // as it was made; for a child its snapshot's
  host_images_ptr images = {};  // what a child may use; null: what is its own
  uint64_t output_bytes = console_bytes_usual; // kept of what it prints
};

/// A driver. Thread-safe: several sandboxes are started at once.
class vmm_driver {
public:
  virtual ~vmm_driver() = default;

  /// The name in the fleet file and in manifests.
  virtual std::string name() const = 0;

  /// How many segments of a memory_layout a child can map; 1: only a flat
  /// image. What has more is flattened before `start`.
  virtual std::size_t segments_max() const { return 1; }

  /// Starts, attaches to or restores the VM of `plan`; returns when it
  /// answers and, unless it was attached, runs. What it must remember to
  /// find the VM again it writes to the directory before the VM exists.
  /// After an error `clear` tells whether a process of ours is left.
  virtual expected<vmm_ptr> start(const start_plan& plan,
                                  deadline_point until) = 0;

  /// Finds the VM that `start` made in an earlier life of this node, from
  /// its directory. Never harms a healthy VM; leaves it paused if it is.
  /// vmm_gone when it is certain that it is not there any more; any other
  /// error says nothing about that.
  virtual expected<vmm_ptr> adopt(const start_plan& plan,
                                  deadline_point until) = 0;

  /// Ends what a start in this directory left that failed or was cut short.
  /// Success only when it is certain that nothing of it runs; after an error
  /// the directory must stay as it is.
  virtual status clear(const std::string& directory, deadline_point until) {
    static_cast<void>(directory);
    static_cast<void>(until);
    return {};
  }
};

using vmm_driver_ptr = std::shared_ptr<vmm_driver>;

/// The drivers of a node, by name.
using driver_table = std::map<std::string, vmm_driver_ptr>;

} // namespace forkfleet
