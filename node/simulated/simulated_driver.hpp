// SPDX-License-Identifier: Apache-2.0
// The driver `simulated` of the fleet file. Its VMs live in the node's own
// process and end with it, unless they are given a host that survives it.
// Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "node/driver.hpp"
#include "node/simulated/guest_writer.hpp"
#include "node/simulated/simulated_vmm.hpp"

namespace forkfleet {

/// What a driver works with; each has a default that suits a real node.
struct simulated_settings {
  simulated_time time = real_time();
  simulated_faults_ptr faults = std::make_shared<simulated_faults>();
  simulated_host_ptr host = std::make_shared<simulated_host>();
  std::chrono::nanoseconds start_cost = std::chrono::milliseconds{20};
  guest_habits habits = {};
  /// Writes the guests' pages while they run, for habits that are too much
  /// to be made up when a VM is asked; empty: they are made up. Its clock is
  /// the steady one.
  guest_writer_ptr writer = {};
};

/// Starts, restores and finds simulated VMs.
class simulated_driver : public vmm_driver {
public:
  explicit simulated_driver(simulated_settings settings = {});

  std::string name() const override { return "simulated"; }
  std::size_t segments_max() const override { return 10000; }
  expected<vmm_ptr> start(const start_plan& plan,
                          deadline_point until) override;
  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override;

private:
  expected<simulated_machine_ptr> make_machine(const start_plan& plan) const;
  vmm_ptr drive(simulated_machine_ptr machine,
                const std::string& root_hash) const;

  const simulated_settings settings_;
};

} // namespace forkfleet
