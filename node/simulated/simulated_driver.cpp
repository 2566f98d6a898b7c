// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_driver.hpp"

#include <utility>

namespace forkfleet {

namespace {

/// A guest that boots, or one that goes on where a snapshot stands.
expected<guest_image> first_memory(const start_plan& plan) {
  if (!plan.snapshot)
    return boot_guest(plan.spec.memory.value);
  return read_guest(plan.snapshot->memory.files.front(),
                    plan.snapshot->vmstate_path);
}

uint64_t vcpus_of(const start_plan& plan) {
  return plan.snapshot ? plan.snapshot->contract.vcpus : plan.spec.vcpus;
}

} // namespace

simulated_driver::simulated_driver(simulated_settings settings)
  : settings_(std::move(settings)) {}

expected<vmm_ptr> simulated_driver::start(const start_plan& plan,
                                          deadline_point until) {
  auto memory = first_memory(plan);
  if (!memory)
    return tl::unexpected{memory.error()};
  if (settings_.time.now() + settings_.start_cost > until)
    return fail(ec::deadline_exceeded,
                "sandbox '" + plan.id.value + "' cannot start in time");
  settings_.time.pass(settings_.start_cost);
  auto machine = std::make_shared<simulated_machine>(
    std::move(*memory), vcpus_of(plan), settings_.time.now());
  if (!settings_.host->add(plan.id, machine))
    return fail(ec::vmm_refused, "sandbox '" + plan.id.value
                                   + "' has a simulated VM already, or the "
                                     "host has too many");
  return drive(std::move(machine));
}

expected<vmm_ptr> simulated_driver::adopt(const start_plan& plan,
                                          deadline_point) {
  auto machine = settings_.host->find(plan.id);
  if (!machine)
    return fail(ec::vmm_gone, "sandbox '" + plan.id.value
                                + "': a simulated VM ends with its node");
  return drive(std::move(machine));
}

vmm_ptr simulated_driver::drive(simulated_machine_ptr machine) const {
  return std::make_shared<simulated_vmm>(std::move(machine), settings_.faults,
                                         settings_.time);
}

} // namespace forkfleet
