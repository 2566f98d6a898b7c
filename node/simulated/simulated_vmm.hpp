// SPDX-License-Identifier: Apache-2.0
// A vmm over a simulated machine: real pages in the snapshot's files, copied
// in passes while the guest writes; costs and faults from a table, and time
// that passes by a given function. For tests, for measuring everything but a
// VMM, and for fleets at scale. Knows no CAF.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

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
/// a node do. `root_hash` is of the snapshot that the machine was started
/// from, when this is its first life.
class simulated_vmm : public vmm {
public:
  simulated_vmm(simulated_machine_ptr machine, simulated_faults_ptr faults,
                simulated_time time, std::string root_hash = {});

  expected<vmm_capabilities> capabilities(deadline_point until) override;
  vmm_health health(deadline_point until) override;
  vmm_description describe() const override;
  run_contract contract() const override;
  std::string tracked_since() const override { return tracked_since_; }
  expected<capture_estimate> estimate(const capture_plan& plan,
                                      deadline_point until) override;
  expected<capture_forecast> prepare(const capture_plan& plan,
                                     deadline_point until) override;
  expected<capture_forecast> refine(deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  status resume(deadline_point until) override;
  std::optional<std::chrono::microseconds> stood() const override {
    return was_paused_ ? std::nullopt
                       : std::optional{std::chrono::microseconds{0}};
  }
  expected<capture_result> drain(deadline_point until) override;
  void commit(const std::string& root_hash) noexcept override;
  void abandon() noexcept override;
  status stop(deadline_point until) override;

  const simulated_machine_ptr& machine() const { return machine_; }

private:
  /// What was taken of the guest while it stood.
  struct residual {
    std::vector<memory_range> ranges = {};
    std::vector<uint8_t> bytes = {}; // of all ranges, one after the other
    guest_state state = {};
    bool is_taken = false;
  };

  status act(stage which, deadline_point until,
             const std::function<status()>& action);
  bool take_time(std::chrono::nanoseconds cost, deadline_point until);
  status check_base(const capture_plan& plan) const;
  page_set take_written();
  status begin(deadline_point until);
  status copy(const page_set& pages, deadline_point until);
  status copy_more(deadline_point until);
  bool is_near_enough(uint64_t residual_bytes) const;
  void make_room();
  capture_forecast forecast();
  status take_residual();
  status write_files();
  status tear();

  simulated_machine_ptr machine_;
  simulated_faults_ptr faults_;
  simulated_time time_;
  std::string tracked_since_;
  page_set changed_; // since then, as far as it was taken from the machine
  std::optional<capture_plan> plan_ = {};
  residual residual_ = {};
  uint64_t residual_before_ = 0; // what the pass before left to be copied
  capture_result result_ = {};
  bool was_paused_ = false;  // since `prepare`
  bool was_drained_ = false; // `changed_` is all in what was drained last
  bool tears_ = false;
};

} // namespace forkfleet
