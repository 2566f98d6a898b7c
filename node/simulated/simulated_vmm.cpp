// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_vmm.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace forkfleet {

namespace {

constexpr const char* driver_name = "simulated";

tl::unexpected<failure> gone() {
  return fail(ec::vmm_gone, "the simulated VM ended");
}

} // namespace

simulated_time real_time() {
  return {
    .now = [] { return std::chrono::steady_clock::now(); },
    .pass = [](std::chrono::nanoseconds x) { std::this_thread::sleep_for(x); }};
}

simulated_vmm::simulated_vmm(simulated_machine_ptr machine,
                             simulated_faults_ptr faults, simulated_time time)
  : machine_(std::move(machine)), faults_(std::move(faults)),
    time_(std::move(time)) {}

expected<vmm_capabilities> simulated_vmm::capabilities(deadline_point) {
  if (machine_->health() == vmm_health::gone)
    return gone();
  return vmm_capabilities{.full = true,
                          .live = true,
                          .diff_obstacle =
                            "a simulated VM does not track changes"};
}

vmm_health simulated_vmm::health(deadline_point) {
  return machine_->health();
}

vmm_description simulated_vmm::describe() const {
  return {.memory_bytes = machine_->memory_bytes(),
          .vcpus = machine_->vcpus(),
          .accelerator = driver_name};
}

run_contract simulated_vmm::contract() const {
  return {.driver = driver_name,
          .vmm_version = "1",
          .machine = driver_name,
          .accelerator = driver_name,
          .cpu = driver_name,
          .memory_bytes = machine_->memory_bytes(),
          .vcpus = machine_->vcpus()};
}

expected<capture_estimate> simulated_vmm::estimate(const capture_plan& plan,
                                                   deadline_point) {
  if (plan.scope == capture_scope::changed)
    return fail(ec::unsupported, "a simulated VM does not track changes");
  return capture_estimate{.method = driver_name,
                          .bytes = machine_->memory_bytes()};
}

expected<capture_forecast> simulated_vmm::prepare(const capture_plan& plan,
                                                  deadline_point until) {
  const auto done = act(stage::track, until, [&]() -> status {
    plan_ = plan;
    captured_.reset();
    result_ = {};
    return {};
  });
  if (!done)
    return tl::unexpected{done.error()};
  return capture_forecast{};
}

expected<capture_forecast> simulated_vmm::refine(deadline_point) {
  return capture_forecast{};
}

status simulated_vmm::pause(deadline_point until) {
  return act(stage::pause, until, [&]() -> status {
    if (machine_->pause(time_.now()))
      return {};
    return fail(ec::vmm_unreachable, "the simulated VM is stuck");
  });
}

status simulated_vmm::capture(deadline_point until) {
  return act(stage::capture, until, [&]() -> status {
    if (machine_->health() != vmm_health::paused)
      return fail(ec::vmm_refused, "capture: the guest does not stand still");
    captured_ = machine_->image(time_.now());
    return {};
  });
}

status simulated_vmm::resume(deadline_point until) {
  auto done = act(stage::resume, until, [&]() -> status {
    machine_->resume(time_.now());
    return {};
  });
  switch (machine_->health()) {
    case vmm_health::running:
      return done;
    case vmm_health::gone:
      return gone();
    default:
      return fail(ec::guest_stuck, "the simulated guest does not run again");
  }
}

expected<capture_result> simulated_vmm::drain(deadline_point until) {
  const auto done =
    act(stage::drain, until, [this]() -> status { return write_files(); });
  if (!done) {
    abandon();
    return tl::unexpected{done.error()};
  }
  plan_.reset();
  captured_.reset();
  return std::move(result_);
}

void simulated_vmm::abandon() noexcept {
  plan_.reset();
  captured_.reset();
}

status simulated_vmm::stop(deadline_point) {
  machine_->end();
  return {};
}

/// Does what a stage does, with its cost and with what goes wrong. A stage
/// that takes longer than allowed is done all the same: nobody can tell from
/// a deadline what a VM did.
status simulated_vmm::act(stage which, deadline_point until,
                          const std::function<status()>& action) {
  const auto fault = faults_->next(which);
  using enum simulated_trouble;
  if (fault.trouble == crash_before)
    faults_->crash();
  if (fault.trouble == vm_ends)
    machine_->end();
  if (fault.trouble == stick)
    machine_->stick(time_.now());
  tears_ = fault.trouble == tear;
  const bool in_time = take_time(faults_->cost(which), until);
  if (machine_->health() == vmm_health::gone)
    return gone();
  if (fault.trouble == refuse)
    return fail(fault.code, "the simulated VM refused to " + to_string(which));
  if (auto done = action(); !done)
    return done;
  if (fault.trouble == crash_after)
    faults_->crash();
  if (fault.trouble == lose_answer)
    return fail(ec::vmm_unreachable, "the simulated VM's answer to "
                                       + to_string(which) + " was lost");
  if (!in_time)
    return fail(ec::deadline_exceeded,
                "the simulated VM was too slow to " + to_string(which));
  return {};
}

/// Lets the cost pass, up to the deadline; false when it took longer.
bool simulated_vmm::take_time(std::chrono::nanoseconds cost,
                              deadline_point until) {
  const auto left = until - time_.now();
  const auto passes = std::clamp<std::chrono::nanoseconds>(
    cost, std::chrono::nanoseconds::zero(),
    std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds::zero()));
  if (passes.count() > 0)
    time_.pass(passes);
  return cost <= left;
}

status simulated_vmm::write_files() {
  if (!plan_ || !captured_)
    return fail(ec::vmm_refused, "drain: nothing was captured");
  auto image = std::move(*captured_);
  if (tears_) {
    const auto later = machine_->image(time_.now());
    std::copy(later.ticks.begin(),
              later.ticks.begin()
                + static_cast<std::ptrdiff_t>(later.ticks.size() / 2),
              image.ticks.begin());
  }
  result_.method = "simulated";
  result_.memory_bytes = image.memory_bytes;
  if (plan_->memory) {
    const auto written = write_memory(image, *plan_->memory);
    if (!written)
      return tl::unexpected{written.error()};
    result_.written_bytes = *written;
  }
  if (plan_->vmstate_fd >= 0) {
    const auto written = write_vmstate(image, plan_->vmstate_fd);
    if (!written)
      return tl::unexpected{written.error()};
    result_.vmstate_bytes = *written;
  }
  return {};
}

} // namespace forkfleet
