// SPDX-License-Identifier: Apache-2.0
// A fleet in one thread: the real COORDINATOR and the real NODEs over lossy
// links, simulated VMs and simulated disks. Programs are killed and started
// at any time; VMs and disks live on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/coordinator.hpp"
#include "node/node.hpp"
#include "node/simulated/simulated_driver.hpp"
#include "tests/support/lossy_link.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/support/world.hpp"

namespace forkfleet::test {

/// How large a fleet is and how often something goes wrong in it.
struct fleet_shape {
  std::size_t hosts = 2;
  std::size_t sandboxes_per_host = 2;
  uint64_t branch_slots = 2;
  uint64_t memory_bytes = 256 << 10;
  uint64_t vmm_trouble_per_mille = 0;  // of a stage
  uint64_t disk_trouble_per_mille = 0; // of a place in the disk's code
  uint64_t cancel_per_mille = 0;       // of a stage: somebody ends the branch
  uint64_t chain_depth = 16;
  bool can_clone = false;
  config::retention_section retention = {};
};

/// One life of a node; over as soon as the node is killed.
struct node_life {
  bool is_over = false;
};

/// One host, and the node that may run there.
struct simulated_node {
  host_name host = {};
  simulated_disk_ptr disk = {};
  simulated_host_ptr machines = {};
  std::shared_ptr<sandbox_records> records = {};
  simulated_faults_ptr faults = {};                  // of the present life
  std::map<sandbox_id, std::weak_ptr<vmm>> vms = {}; // driven by this life
  std::shared_ptr<node_life> life = {};
  local_node_actor actor = {};
  connector_actor connector = {};
  connection_ptr line = {};
  uint64_t incarnation = 0;

  bool is_up() const { return life && !life->is_over; }
};

/// A directory that is removed with this object.
class scratch_directory {
public:
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

class simulated_fleet {
public:
  simulated_fleet(uint64_t seed, const fleet_shape& wanted);
  ~simulated_fleet();

  world w;
  fleet_shape shape;
  std::shared_ptr<link_weather> weather = std::make_shared<link_weather>();
  std::vector<simulated_node> nodes;
  /// What happens the next time at a place of the disks' code.
  std::map<std::string, disk_trouble, std::less<>> disk_plan;
  local_coordinator_actor coordinator_handle;
  bool coordinator_is_up = false;

  void start_coordinator();
  void kill_coordinator();
  /// Recovers and starts the node; it may be killed by chance while it
  /// recovers.
  void start_node(std::size_t index);
  /// SIGKILL. `silently`: the other side is not told by its network.
  void kill_node(std::size_t index, bool silently = false);
  /// The host loses its power: its VMs end too.
  void lose_power(std::size_t index);
  /// The network to the host becomes silent; the node may dial again.
  void cut(std::size_t index);

  /// A client's new connection to the coordinator; a dead line when there is
  /// none.
  coordinator_actor dial(connection_ptr& line);

  coordinator_state& coordinator_state_now();
  node_actor_state& node_state_now(std::size_t index);

  /// What the disks and the fleet itself found to be wrong.
  std::vector<std::string> violations() const;
  void violate(std::string what) { violations_.push_back(std::move(what)); }

  /// Whether a node made the operation's intent durable. Before that it has
  /// not begun: its ending may be forgotten, and it may begin anew.
  bool has_begun(const operation_id& operation) const;

  /// Whether a report said that this guest does not run again.
  bool is_told_stuck(const sandbox_id& id) const {
    return told_stuck_.contains(id);
  }

  /// The machine of a sandbox, wherever it is; null when it is gone.
  simulated_machine_ptr machine_of(const sandbox_id& id) const;

private:
  disk_access access_of(std::size_t index);
  node_services services_of(std::size_t index);
  node_settings settings_of_node(std::size_t index);
  void roll_cancel(std::size_t index);
  simulated_fault roll_vmm_trouble(std::size_t index, stage which);
  disk_trouble roll_disk_trouble(std::string_view place);
  void end_life(std::size_t index, bool silently);
  void check_ended(std::size_t index, const branch_report& report);
  microseconds wall() const;

  scratch_directory scratch_;
  std::vector<std::string> violations_;
  std::set<sandbox_id> told_stuck_; // by a report
  uint64_t epoch_ = 0;
};

} // namespace forkfleet::test
