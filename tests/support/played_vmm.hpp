// SPDX-License-Identifier: Apache-2.0
// A VM that does what a test says: its capabilities, its forecasts, what
// fails. Its memory is two pages. For tests of the pipeline's decisions.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "node/driver.hpp"

namespace forkfleet::test {

/// What it is to do, and what was done to it.
struct vmm_script {
  vmm_capabilities vm = {.full = true,
                         .diff = true,
                         .live = true,
                         .full_is_tracked = true,
                         .diff_is_tracked = true};
  std::string tracked_since = {};
  std::vector<branch_mode> cannot_estimate = {};
  /// One for prepare and for each refine; the last one stays.
  std::deque<capture_forecast> forecasts = {{}};
  /// Called by each.
  std::function<void(const std::string&)> on_call = [](const auto&) {};
  /// What resume comes to.
  std::function<status()> on_resume = [] { return status{}; };
  /// See vmm::stood.
  std::optional<std::chrono::microseconds> stood = {};
  failure drain_fails = {};
  std::vector<std::string> calls = {};
  std::vector<capture_plan> plans = {};
  std::vector<std::string> committed = {};
  std::size_t segments_max = 1000;
  std::vector<start_plan> starts = {};
};

class played_vmm : public vmm {
public:
  explicit played_vmm(vmm_script& script) : script_{script} {}

  expected<vmm_capabilities> capabilities(deadline_point) override {
    return script_.vm;
  }
  vmm_health health(deadline_point) override { return vmm_health::running; }
  vmm_description describe() const override { return {.memory_bytes = 8192}; }
  run_contract contract() const override { return {.driver = "simulated"}; }
  std::string tracked_since() const override { return script_.tracked_since; }
  expected<capture_estimate> estimate(const capture_plan& plan,
                                      deadline_point) override;
  expected<capture_forecast> prepare(const capture_plan& plan,
                                     deadline_point) override;
  expected<capture_forecast> refine(deadline_point) override;
  status pause(deadline_point) override { return call("pause"); }
  status capture(deadline_point) override { return call("capture"); }
  status resume(deadline_point) override {
    std::ignore = call("resume");
    return script_.on_resume();
  }
  std::optional<std::chrono::microseconds> stood() const override {
    return script_.stood;
  }
  void refused() noexcept override { script_.calls.push_back("refused"); }
  expected<capture_result> drain(deadline_point) override;
  void commit(const std::string& root_hash) noexcept override;
  void abandon() noexcept override { script_.calls.push_back("abandon"); }
  status stop(deadline_point) override { return {}; }

private:
  status call(const std::string& name);
  capture_forecast next_forecast();

  vmm_script& script_;
  capture_plan plan_ = {};
};

/// Starts played VMs, all by one script.
class played_driver : public vmm_driver {
public:
  explicit played_driver(vmm_script& script) : script_{script} {}

  std::string name() const override { return "simulated"; }
  std::size_t segments_max() const override { return script_.segments_max; }
  expected<vmm_ptr> start(const start_plan& plan, deadline_point) override {
    script_.starts.push_back(plan);
    return std::make_shared<played_vmm>(script_);
  }
  expected<vmm_ptr> adopt(const start_plan&, deadline_point) override {
    return fail(ec::vmm_gone, "a played VM ends with its node");
  }

private:
  vmm_script& script_;
};

} // namespace forkfleet::test
