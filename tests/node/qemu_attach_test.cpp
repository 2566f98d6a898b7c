// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/attached_machine.hpp"
#include "node/qemu/capture_method.hpp"
#include "node/qemu/guest_status.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/vm_record.hpp"
#include "tests/support/foreign_vm.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

TEST_CASE_METHOD(vm_fixture, "a VM of somebody else is branched and let go",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto foreign = foreign_vm{*this};
  foreign.wait_until_up();
  const auto vm = start(foreign.plan(*this, true));
  CHECK(vm->describe().pid == static_cast<uint64_t>(foreign.process.pid()));
  for (const auto mode : {branch_mode::live, branch_mode::full}) {
    const auto name = std::string{schema::name_of(mode)};
    const auto child = restore(branch(*vm, mode, name), "child-" + name);
    CHECK(last_result().warnings == std::vector<std::string>{});
    check_guest(*child, 200);
    CHECK(child->stop(soon()));
  }
  CHECK(vm->stop(soon()));
  CHECK(::kill(foreign.process.pid(), 0) == 0);
  foreign.wait_until_up();
}

TEST_CASE_METHOD(vm_fixture, "a VM without a second socket warns of it",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto foreign = foreign_vm{*this};
  foreign.wait_until_up();
  const auto vm = start(foreign.plan(*this, false));
  branch(*vm, branch_mode::live, "unguarded");
  REQUIRE(last_result().warnings.size() == 1);
  CHECK(
    last_result().warnings.front().starts_with("no watchdog guards the pause"));
}

TEST_CASE_METHOD(vm_fixture,
                 "memory that cannot be read is sent, and is the same snapshot",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto foreign = foreign_vm{*this};
  foreign.wait_until_up();
  auto qmp = qmp_client::connect(foreign.directory + "/" + qmp_socket, soon());
  REQUIRE(qmp);
  const auto asked = ask_machine(**qmp, {}, soon());
  REQUIRE(asked);
  auto arenas = arena_pool{};
  auto warnings = std::vector<std::string>{};
  auto model = pause_model{};
  auto pauses = vm_pauses{};
  const auto method = make_send_capture({.qmp = **qmp,
                                         .keeper = nullptr,
                                         .arenas = arenas,
                                         .model = model,
                                         .pauses = pauses,
                                         .tracker = nullptr,
                                         .warnings = warnings,
                                         .memory_bytes = asked->memory_bytes});
  auto files = snapshot_files{.info = {.origin = snapshot_origin::sealed},
                              .is_vouched = true};
  files.contract = to_contract(*asked, (*qmp)->version());
  const auto memory_path = home() + "/memory";
  files.memory = flat_layout(memory_path, asked->memory_bytes);
  files.vmstate_path = home() + "/vmstate";
  constexpr int flags = O_RDWR | O_CREAT | O_CLOEXEC;
  const auto memory = unique_fd{::open(memory_path.c_str(), flags, 0600)};
  auto sink = flat_sink{memory.get(), memory_path, asked->memory_bytes,
                        flat_origin::fresh};
  const auto state = unique_fd{::open(files.vmstate_path.c_str(), flags, 0600)};
  REQUIRE(::ftruncate(memory.get(), static_cast<off_t>(asked->memory_bytes))
          == 0);
  REQUIRE(
    method->prepare({.memory = &sink, .vmstate_fd = state.get()}, soon()));
  REQUIRE(method->pause(soon()));
  REQUIRE(method->capture(soon()));
  REQUIRE((*qmp)->execute("cont", soon()));
  const auto drained = method->drain(soon());
  REQUIRE(drained);
  CHECK(drained->method == "stopped-send");
  check_guest(*restore(files, "child"));
  foreign.wait_until_up();
}

TEST_CASE_METHOD(vm_fixture,
                 "an attached VM whose process was never known is not gone",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto foreign = foreign_vm{*this};
  foreign.wait_until_up();
  const auto plan = foreign.plan(*this, true);
  auto vm = start(plan);
  auto record = load_vm_record(plan.directory);
  REQUIRE(record);
  forget(vm);
  record->pid = 0;
  REQUIRE(save(*record, plan.directory));
  const auto found = driver().adopt(plan, soon());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::vmm_unreachable);
  CHECK(load_vm_record(plan.directory));
}

TEST_CASE_METHOD(vm_fixture,
                 "a VM that took another one's socket is not taken for it",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto foreign = std::optional<foreign_vm>{std::in_place, *this};
  foreign->wait_until_up();
  const auto vm = start(foreign->plan(*this, true));
  branch(*vm, branch_mode::full, "first");
  foreign.reset();
  foreign.emplace(*this);
  foreign->wait_until_up();
  auto second = make_snapshot("second", *vm);
  const auto prepared = vm->prepare(second.plan(branch_mode::full), soon());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().code == ec::vmm_gone);
  CHECK(vm->health(soon()) == vmm_health::gone);
  foreign->wait_until_up();
}

TEST_CASE_METHOD(vm_fixture, "a socket where no QEMU answers is named",
                 "[node][qemu][vm]") {
  auto nobody = plan("nobody");
  nobody.spec.attach.qmp = home() + "/nothing.sock";
  const auto attached = driver().start(nobody, soon());
  REQUIRE_FALSE(attached);
  CHECK(attached.error().code == ec::vmm_unreachable);
  CHECK(attached.error().message.starts_with(nobody.spec.attach.qmp));
}

TEST_CASE_METHOD(vm_fixture, "a start that fails says why and leaves nothing",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto wrong = plan("wrong");
  wrong.spec.qemu_arguments = {"-no-such-option"};
  const auto started = driver().start(wrong, soon());
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ec::vmm_refused);
  CHECK(started.error().message.find("no-such-option") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(wrong.directory + "/vm.json"));
  CHECK_FALSE(driver().adopt(wrong, soon()));
}

TEST_CASE_METHOD(vm_fixture, "a child of another kernel is refused",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  auto own = plan("source");
  const auto kernel = home() + "/kernel";
  std::filesystem::copy(own.spec.kernel, kernel);
  own.spec.kernel = kernel;
  const auto vm = start(own);
  auto child = plan("child");
  child.snapshot = branch(*vm, branch_mode::full, "one");
  std::filesystem::resize_file(kernel, 4096);
  const auto started = driver().start(child, soon());
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ec::unsupported);
  CHECK(started.error().message.starts_with(kernel));
}

TEST_CASE("a command line tells what a VM was booted from",
          "[node][qemu][machine]") {
  const auto x = read_command_line({"qemu", "-kernel", "vmlinuz", "--initrd",
                                    "/i", "-append", "quiet", "-cpu", "max",
                                    "-device", "isa-debugcon,chardev=d"},
                                   "/home/me");
  CHECK(x.kernel == "/home/me/vmlinuz");
  CHECK(x.initrd == "/i");
  CHECK(x.append == "quiet");
  CHECK(x.cpu == "max");
  CHECK(x.debug_console);
}
