// SPDX-License-Identifier: Apache-2.0
// The driver of QEMU: starts VMs under a keeper, attaches to those of others,
// restores children of snapshots, and finds its VMs again after the node's
// own death. Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "node/driver.hpp"

namespace forkfleet {

/// Where a node finds what it needs to run QEMU. Empty paths are looked up.
struct qemu_driver_settings {
  /// The emulator; empty: qemu-system-x86_64 in $PATH.
  std::string qemu = {};
  /// The helper that starts and guards a VM; empty: $FORKFLEET_KEEPER, else
  /// forkfleet-keeper beside the running program.
  std::string keeper = {};
  /// The library that lets a VM's changes be tracked; empty:
  /// $FORKFLEET_PRELOAD, else libforkfleet-preload.so beside the program.
  std::string preload = {};
  /// Overrides what `auto` means; empty: $FORKFLEET_ACCEL, else kvm where it
  /// runs stock guests and tcg elsewhere.
  std::string accelerator = {};
};

/// Starts and finds QEMU's VMs. Thread-safe.
class qemu_driver : public vmm_driver {
public:
  explicit qemu_driver(qemu_driver_settings settings);
  ~qemu_driver() override;

  std::string name() const override { return "qemu"; }
  std::size_t segments_max() const override;
  expected<vmm_ptr> start(const start_plan& plan,
                          deadline_point until) override;
  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override;
  status clear(const std::string& directory, deadline_point until) override;

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace forkfleet
