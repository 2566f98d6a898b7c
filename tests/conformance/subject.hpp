// SPDX-License-Identifier: Apache-2.0
// What a driver's author brings to the conformance cases: a VM of the driver,
// a guest in it whose snapshots can be checked, and ways to break it.
// docs/drivers.md tells how to use it.
#pragma once

#include <cstdint>
#include <string>

#include "node/driver.hpp"
#include "node/memory_image.hpp"

namespace forkfleet::test {

/// A sealed snapshot, as far as a driver knows of one.
struct taken_snapshot {
  std::string root_hash = {};
  memory_image_ptr memory = {};
  std::string vmstate_path = {};
  run_contract contract = {};
};

/// One driver under test, and one VM of it at a time. A case that breaks it
/// leaves it to the subject's destructor.
class conformance_subject {
public:
  virtual ~conformance_subject() = default;

  virtual vmm_driver& driver() = 0;

  /// How a fresh VM is started: with this the driver makes, adopts and, with
  /// a snapshot in it, restores.
  virtual start_plan plan() = 0;

  /// A plan for a child of that snapshot, with an id and a directory of its
  /// own. The memory lies in as many segments as the driver takes.
  virtual start_plan child_plan(const taken_snapshot& parent) = 0;

  /// A file for the device state of the next snapshot.
  virtual std::string new_vmstate_path() = 0;

  /// Lets the guest of that VM write at least some pages, and returns when
  /// it has.
  virtual void let_guest_write(vmm& vm) = 0;

  /// Whether memory and device state are of one instant of such a guest: how
  /// far it was then, by a count that only grows.
  virtual expected<uint64_t> progress_of(const taken_snapshot& snapshot) = 0;

  /// How far the guest of a running VM is.
  virtual expected<uint64_t> progress_of(vmm& vm) = 0;

  /// The next such call to the VMM fails: with a refusal, or done but its
  /// answer lost. False: it cannot be made to.
  virtual bool break_next(stage which, bool is_done_all_the_same) = 0;

  /// The next such call takes longer than any case waits. False: it cannot
  /// be made to.
  virtual bool hang_next(stage which) = 0;

  /// Kills the VM.
  virtual void kill_vm(vmm& vm) = 0;

  /// Now, and the longest that a call of a case may take: by the clock of
  /// the driver under test.
  virtual deadline_point now() = 0;
};

} // namespace forkfleet::test
