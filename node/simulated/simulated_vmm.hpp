// SPDX-License-Identifier: Apache-2.0
// A vmm over a simulated machine: real bytes in the snapshot's files, costs
// and faults from a table, and time that passes by a given function. For
// tests, for trying a fleet out, and for fleets at scale. Knows no CAF.
#pragma once

#include <functional>
#include <optional>

#include "node/simulated/faults.hpp"
#include "node/simulated/machine.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// Where time comes from and how it passes.
struct simulated_time {
  std::function<deadline_point()> now = {};
  std::function<void(std::chrono::nanoseconds)> pass = {};
};

/// The steady clock and a sleep.
simulated_time real_time();

/// Drives one machine; several may drive it one after the other, as lives of
/// a node do.
class simulated_vmm : public vmm {
public:
  simulated_vmm(simulated_machine_ptr machine, simulated_faults_ptr faults,
                simulated_time time);

  expected<vmm_capabilities> capabilities(deadline_point until) override;
  vmm_health health(deadline_point until) override;
  vmm_description describe() const override;
  run_contract contract() const override;
  std::string tracked_since() const override { return {}; }
  expected<capture_estimate> estimate(const capture_plan& plan,
                                      deadline_point until) override;
  expected<capture_forecast> prepare(const capture_plan& plan,
                                     deadline_point until) override;
  expected<capture_forecast> refine(deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  status resume(deadline_point until) override;
  expected<capture_result> drain(deadline_point until) override;
  void commit(const std::string&) noexcept override {}
  void abandon() noexcept override;
  status stop(deadline_point until) override;

private:
  status act(stage which, deadline_point until,
             const std::function<status()>& action);
  bool take_time(std::chrono::nanoseconds cost, deadline_point until);
  status write_files();

  simulated_machine_ptr machine_;
  simulated_faults_ptr faults_;
  simulated_time time_;
  std::optional<capture_plan> plan_ = {};
  std::optional<guest_image> captured_ = {};
  capture_result result_ = {};
  bool tears_ = false;
};

} // namespace forkfleet
