// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_driver.hpp"

#include <string>
#include <utility>

namespace forkfleet {

namespace {

/// A snapshot's memory as a child sees it.
class mapped_image : public memory_image {
public:
  explicit mapped_image(const guest_ram& ram) : ram_(ram) {}

  uint64_t bytes() const override { return ram_.bytes().size(); }

  status read(uint64_t address, std::span<uint8_t> into) const override {
    const auto part = ram_.bytes().subspan(address, into.size());
    std::copy(part.begin(), part.end(), into.begin());
    return {};
  }

private:
  const guest_ram& ram_;
};

/// No two VMs of a name start at one time.
std::string generation_of(const sandbox_id& id, deadline_point now) {
  return id.value + "@" + std::to_string(now.time_since_epoch().count());
}

} // namespace

simulated_driver::simulated_driver(simulated_settings settings)
  : settings_(std::move(settings)) {}

/// A guest that boots, or one that goes on where a snapshot stands.
expected<simulated_machine_ptr>
simulated_driver::make_machine(const start_plan& plan) const {
  const auto now = settings_.time.now();
  if (!plan.snapshot)
    return simulated_machine::boot(plan.spec.memory.value, plan.spec.vcpus,
                                   settings_.habits, now);
  const auto state = read_state(plan.snapshot->vmstate_path);
  if (!state)
    return tl::unexpected{state.error()};
  if (state->memory_bytes != plan.snapshot->memory.bytes)
    return fail(ec::snapshot_corrupt,
                "memory and device state are not of the same VM");
  auto ram = guest_ram::map(plan.snapshot->memory);
  if (!ram)
    return tl::unexpected{ram.error()};
  if (auto whole = read_guest(mapped_image{*ram}, *state); !whole)
    return tl::unexpected{whole.error()};
  return simulated_machine::resume_from(std::move(*ram), *state,
                                        plan.snapshot->contract.vcpus,
                                        settings_.habits, now);
}

expected<vmm_ptr> simulated_driver::start(const start_plan& plan,
                                          deadline_point until) {
  if (settings_.time.now() + settings_.start_cost > until)
    return fail(ec::deadline_exceeded,
                "sandbox '" + plan.id.value + "' cannot start in time");
  settings_.time.pass(settings_.start_cost);
  auto machine = make_machine(plan);
  if (!machine)
    return tl::unexpected{machine.error()};
  (*machine)->set_generation(generation_of(plan.id, settings_.time.now()));
  if (!settings_.host->add(plan.id, *machine))
    return fail(ec::vmm_refused, "sandbox '" + plan.id.value
                                   + "' has a simulated VM already, or the "
                                     "host has too many");
  if (settings_.writer)
    settings_.writer->add(*machine);
  return drive(std::move(*machine),
               plan.snapshot ? plan.snapshot->info.root_hash : std::string{});
}

expected<vmm_ptr> simulated_driver::adopt(const start_plan& plan,
                                          deadline_point) {
  auto machine = settings_.host->find(plan.id);
  if (!machine)
    return fail(ec::vmm_gone, "sandbox '" + plan.id.value
                                + "': a simulated VM ends with its node");
  // What an earlier life took of it is not known: nothing is tracked yet.
  return drive(std::move(machine), {});
}

vmm_ptr simulated_driver::drive(simulated_machine_ptr machine,
                                const std::string& root_hash) const {
  return std::make_shared<simulated_vmm>(std::move(machine), settings_.faults,
                                         settings_.time, root_hash);
}

} // namespace forkfleet
