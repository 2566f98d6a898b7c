// SPDX-License-Identifier: Apache-2.0
// One simulated VM on a real disk, and branches of it: for tests of the
// pipeline and of what a node does after its own death.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/branch_run.hpp"
#include "node/recovery.hpp"
#include "node/simulated/simulated_driver.hpp"
#include "node/storage/file_journal.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

/// A node's disk and a simulated host. Time passes only when the VM takes
/// some; `restart` is a new life of the node, while the VMs run on.
class branching_world {
public:
  branching_world();

  /// Starts the sandbox `source`, with its record.
  void start_source();
  void restart();
  recovery_result recover();

  branch_result branch(const branch_request& request);
  branch_request request(const std::string& operation) const {
    return {
      .operation = {operation}, .sandbox = {"source"}, .tag = {operation}};
  }

  simulated_faults& faults() { return *faults_; }
  simulated_machine& machine();
  disk_snapshot_store& store() { return *store_; }
  file_journal& journal() { return *journal_; }
  sandbox_records& records() { return *records_; }
  driver_table& drivers() { return drivers_; }
  config::branch_section policy = {};
  std::vector<fleet_event> events = {};
  vmm_ptr source = {};

private:
  void open();

  scratch_directory scratch_ = {};
  deadline_point now_ = std::chrono::steady_clock::now();
  simulated_faults_ptr faults_ = std::make_shared<simulated_faults>();
  simulated_host_ptr host_ = std::make_shared<simulated_host>();
  driver_table drivers_ = {};
  std::shared_ptr<disk_snapshot_store> store_ = {};
  std::shared_ptr<file_journal> journal_ = {};
  std::unique_ptr<sandbox_records> records_ = {};
};

} // namespace forkfleet::test
