// SPDX-License-Identifier: Apache-2.0
// The example guest in a QEMU of its own, for the benchmarks: started by our
// driver, or by hand and then attached to, or as the child of a snapshot. It
// ends with this process, however that ends. Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "examples/guest_watch.hpp"
#include "node/bench/hand_capture.hpp"
#include "node/driver.hpp"

namespace forkfleet::bench {

/// Who starts the VM.
enum class vm_owner : unsigned char { driver, hand };

/// What to start.
struct guest_plan {
  std::string name = {};
  std::string directory = {};       // exists; the VM's own is made in it
  std::string guest_directory = {}; // vmlinuz and initrd.img
  uint64_t memory_mib = 256;
  uint64_t rate_mib = 0; // 0: it sleeps between its ticks
  bool has_agent = false;
  bool has_hand = true; // by_hand() works; not for the source of children
  vm_owner owner = vm_owner::driver;
  /// The image of a disk that the guest reads all the time; it has two
  /// processors then, and churns pages. Empty: none.
  std::string numbered_disk = {};
  bool is_disk_direct = false;   // QEMU passes the page cache by, too
  bool is_memory_shared = false; // of a VM that was started by hand
  std::optional<snapshot_files> snapshot = {}; // set: a child of it
  std::chrono::seconds patience{60};           // until it is heard
};

/// How much of its memory the guest writes in turn.
uint64_t ring_mib(const guest_plan& plan);

/// A running guest that has been heard.
class guest_vm {
public:
  static expected<std::unique_ptr<guest_vm>> start(vmm_driver& driver,
                                                   const guest_plan& plan);
  ~guest_vm();
  guest_vm(const guest_vm&) = delete;
  guest_vm& operator=(const guest_vm&) = delete;

  const vmm_ptr& driven() const { return vmm_; }
  const guest::guest_watch& watch() const { return *watch_; }

  /// A second way to QMP, of a VM that the driver started.
  expected<hand_capture> by_hand() const;

private:
  explicit guest_vm(std::string directory) : directory_(std::move(directory)) {}

  status start_by_hand(const guest_plan& plan);
  status listen(const std::string& console, std::chrono::seconds patience);

  std::string directory_;
  int pid_ = 0; // of a VM that was started by hand
  vmm_ptr vmm_ = {};
  std::unique_ptr<guest::guest_watch> watch_ = {};
};

/// What a node starts a child with. Makes its directory, `parent`/`name`.
expected<start_plan> plan_child(const std::string& name,
                                const std::string& parent,
                                const snapshot_files& files);

/// Starts a child of a snapshot and waits until it has looked at all of its
/// memory: snapshot_corrupt with the guest's own words when it found it torn.
/// deadline_exceeded when it gets no further for `limit`, or not so far within
/// ten times that.
status check_snapshot(vmm_driver& driver, const snapshot_files& files,
                      guest_plan plan, std::chrono::seconds limit);

} // namespace forkfleet::bench
