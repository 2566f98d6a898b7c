// SPDX-License-Identifier: Apache-2.0
// The driver `simulated` of the fleet file. Its VMs live in the node's own
// process and end with it, unless they are given a host that survives it.
// Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "node/driver.hpp"
#include "node/simulated/simulated_vmm.hpp"

namespace forkfleet {

/// What a driver works with; each has a default that suits a real node.
struct simulated_settings {
  simulated_time time = real_time();
  simulated_faults_ptr faults = std::make_shared<simulated_faults>();
  simulated_host_ptr host = std::make_shared<simulated_host>();
  std::chrono::nanoseconds start_cost = std::chrono::milliseconds{20};
};

/// Starts, restores and finds simulated VMs.
class simulated_driver : public vmm_driver {
public:
  explicit simulated_driver(simulated_settings settings = {});

  std::string name() const override { return "simulated"; }
  expected<vmm_ptr> start(const start_plan& plan,
                          deadline_point until) override;
  expected<vmm_ptr> adopt(const start_plan& plan,
                          deadline_point until) override;

private:
  vmm_ptr drive(simulated_machine_ptr machine) const;

  const simulated_settings settings_;
};

} // namespace forkfleet
