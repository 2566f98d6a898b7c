// SPDX-License-Identifier: Apache-2.0
#include "tests/support/foreign_vm.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/host_facts.hpp"
#include "node/qemu/machine.hpp"

namespace forkfleet::test {

namespace {

std::vector<std::string>
arguments_of(const start_plan& plan,
             const std::function<void(std::vector<std::string>&)>& change) {
  auto result =
    qemu::command_line(qemu::machine_of(plan.spec, "tcg", qemu::host_tsc_khz()),
                       {.qemu = "/usr/bin/qemu-system-x86_64"});
  if (change)
    change(result);
  return result;
}

} // namespace

foreign_vm::foreign_vm(
  const vm_fixture& world,
  const std::function<void(std::vector<std::string>&)>& change)
  : directory{world.plan("foreign").directory},
    process{arguments_of(world.plan("foreign"), change), directory} {}

start_plan foreign_vm::plan(const vm_fixture& world, bool has_watchdog) const {
  auto result = start_plan{.id = {"attached"},
                           .directory = world.plan("attached").directory,
                           .leash_pid = ::getpid()};
  result.spec.attach.qmp = directory + "/" + qemu::qmp_socket;
  if (has_watchdog)
    result.spec.attach.watchdog_qmp = directory + "/" + qemu::watchdog_socket;
  return result;
}

void foreign_vm::wait_until_up() const {
  const auto watch =
    guest::guest_watch::open(directory + "/" + qemu::debug_socket, soon());
  REQUIRE(watch);
  REQUIRE((*watch)->wait_for_counter(300, soon()));
}

} // namespace forkfleet::test
