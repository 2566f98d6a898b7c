// SPDX-License-Identifier: Apache-2.0
// The example guest under the QEMU driver, and the steps of a branch, for
// tests of the driver. Snapshots are plain files: no store, no journal.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/unique_fd.hpp"
#include "examples/guest_watch.hpp"
#include "node/qemu/qemu_driver.hpp"
#include "node/storage/flat_sink.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

/// A deadline that a loaded machine keeps, too.
deadline_point soon();

/// The open files of a snapshot in the making.
struct snapshot_in_making {
  snapshot_files files = {};
  unique_fd memory = {};
  unique_fd vmstate = {};
  std::unique_ptr<flat_sink> sink = {}; // of the last plan

  capture_plan plan(branch_mode mode);
};

/// VMs of the example guest; all end with the test, at the latest.
class vm_fixture {
public:
  vm_fixture();
  ~vm_fixture();

  /// Whether VMs can be started here; says `skip` when not.
  bool can_run() const;

  /// A fresh directory for a sandbox, and what to start in it.
  start_plan plan(const std::string& name) const;

  /// Starts what is planned; the test fails when that fails.
  vmm_ptr start(const start_plan& plan);
  vmm_ptr start(const std::string& name) { return start(plan(name)); }

  /// The same without the preload library, as where nothing can be tracked.
  vmm_ptr start_untracked(const std::string& name) {
    return start_untracked(plan(name));
  }
  vmm_ptr start_untracked(const start_plan& plan);

  /// Lets go of it without stopping it, as a node that ends does.
  void forget(vmm_ptr& vm);

  /// Finds it again, as a restarted node does.
  vmm_ptr adopt(const start_plan& plan);

  /// Empty files for a snapshot of `vm`.
  snapshot_in_making make_snapshot(const std::string& name, const vmm& vm);

  /// Takes a whole branch; the test fails when a step of it fails.
  snapshot_files branch(vmm& vm, branch_mode mode, const std::string& name);
  capture_result last_result() const { return result_; }

  /// Takes a diff against the snapshot of that name, which `branch` or this
  /// made.
  snapshot_files diff(vmm& vm, const std::string& base,
                      const std::string& name);

  /// The snapshot of that name, as a base.
  capture_base base_of(const std::string& name) const;

  /// Starts a child.
  vmm_ptr restore(const snapshot_files& snapshot, const std::string& name);

  /// Listens to a guest until it has counted on for a while.
  static std::unique_ptr<guest::guest_watch> watch(const vmm& vm);

  /// Counts on and finds no error in its memory, for `ticks` ticks.
  static void check_guest(const vmm& vm, uint64_t ticks = 500);

  /// Waits until the VM itself says that its guest runs.
  static void wait_until_running(vmm& vm);

  qemu_driver& driver() { return driver_; }
  const std::string& home() const { return home_.path(); }

private:
  capture_result take(vmm& vm, const capture_plan& plan);

  vmm_ptr start_by(vmm_driver& driver, const start_plan& plan);

  scratch_directory home_;
  std::map<std::string, snapshot_files> made_ = {};
  qemu_driver driver_;
  qemu_driver untracked_driver_;
  std::vector<vmm_ptr> vms_ = {};
  capture_result result_ = {};
};

/// Runs `action` in a process of its own and waits for its end; status 0
/// when `action` returns. When it stops itself, `when_stopped` is called and
/// it goes on. Returns waitpid's status.
int in_other_process(
  const std::function<void()>& action,
  const std::function<void()>& when_stopped = [] {});

/// A process that ends with the test, at the latest.
class child_process {
public:
  /// Runs `argv` in `directory`; without `argv` it only waits.
  child_process(std::vector<std::string> argv, const std::string& directory);
  ~child_process() { kill(); }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  int pid() const { return pid_; }

  /// Ends it with SIGKILL and reaps it.
  void kill();

private:
  int pid_ = 0;
};

} // namespace forkfleet::test
