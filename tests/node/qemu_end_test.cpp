// SPDX-License-Identifier: Apache-2.0
// However a guest ends, on whatever machine, its VM is gone soon and says how:
// a source and its child alike.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/process.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// One entry of a cpio archive, as the kernel unpacks it.
void add_entry(std::string& archive, const std::string& name, unsigned mode,
               const std::string& content, unsigned major = 0,
               unsigned minor = 0) {
  char head[111] = {};
  std::snprintf(head, sizeof head,
                "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                1u, mode, 0u, 0u, 1u, 0u, static_cast<unsigned>(content.size()),
                0u, 0u, major, minor, static_cast<unsigned>(name.size() + 1),
                0u);
  const auto pad = [&archive] {
    while (archive.size() % 4 != 0)
      archive += '\0';
  };
  archive += head;
  archive += name + '\0';
  pad();
  archive += content;
  pad();
}

struct guest_end {
  const char* machine;
  const char* words;
  const char* told;
};

struct end_fixture : vm_fixture {
  /// A guest that ends by itself.
  start_plan ending(const std::string& name, const std::string& machine,
                    const std::string& words) {
    const auto image = home() + "/end.cpio";
    if (!std::filesystem::exists(image)) {
      const auto program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path()
        / "end_init";
      auto in = std::ifstream{program, std::ios::binary};
      const auto init = std::string{std::istreambuf_iterator<char>{in}, {}};
      REQUIRE_FALSE(init.empty());
      auto archive = std::string{};
      add_entry(archive, "dev", S_IFDIR | 0755, {});
      add_entry(archive, "dev/console", S_IFCHR | 0600, {}, 5, 1);
      add_entry(archive, "init", S_IFREG | 0755, init);
      add_entry(archive, "TRAILER!!!", 0, {});
      std::ofstream{image, std::ios::binary} << archive;
    }
    auto result = plan(name);
    result.spec.initrd = image;
    result.spec.machine = machine;
    result.spec.append = words;
    return result;
  }
  static bool is_ready(const start_plan& x) {
    const auto text =
      read_small_file(x.directory + "/" + qemu::console_file, 1u << 20);
    return text && text->find("init: ready") != std::string::npos;
  }
  static std::string end_of(vmm& vm) {
    const auto until = steady_clock::now() + 60s;
    while (vm.health(soon()) != vmm_health::gone)
      if (steady_clock::now() > until)
        return "it never ended";
      else
        ::poll(nullptr, 0, 50);
    return vm.trouble();
  }
  void check_told(vmm& vm, const std::string& name, const std::string& told) {
    const auto end = end_of(vm);
    INFO(read_small_file(home() + "/" + name + "/" + qemu::console_file)
           .value_or("no console"));
    CHECK_THAT(end, Catch::Contains(told));
  }
  /// Source and child alike.
  void check_end(const guest_end& x) {
    CAPTURE(x.machine, x.words);
    const auto plan =
      ending("source", x.machine, std::string{x.words} + " ff.after=10");
    const auto vm = start(plan);
    const auto until = steady_clock::now() + 60s;
    while (!is_ready(plan) && steady_clock::now() < until)
      ::poll(nullptr, 0, 20);
    REQUIRE(is_ready(plan));
    const auto snapshot = branch(*vm, branch_mode::full, "end");
    const auto child = restore(snapshot, "child");
    check_told(*vm, "source", x.told);
    check_told(*child, "child", x.told);
  }
};

constexpr const char* reset = "its machine was reset";
constexpr const char* off = "its guest powered off";
constexpr const char* panicked = "Kernel panic - not syncing";

} // namespace

TEST_CASE_METHOD(end_fixture, "a guest that ended is gone, and says how",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  check_end(GENERATE(guest_end{"microvm", "ff.end=reboot", reset},
                     guest_end{"microvm", "ff.end=panic", panicked},
                     guest_end{"microvm", "ff.end=exit", panicked},
                     guest_end{"microvm", "ff.end=reset", reset},
                     guest_end{"microvm", "ff.end=poweroff", off}));
}

TEST_CASE_METHOD(end_fixture, "a guest of a q35 that ended is gone",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  check_end(GENERATE(guest_end{"q35", "ff.end=reboot", reset},
                     guest_end{"q35", "ff.end=panic", panicked},
                     guest_end{"q35", "ff.end=exit", panicked},
                     guest_end{"q35", "reboot=t ff.end=reset", reset},
                     guest_end{"q35", "ff.end=poweroff", off}));
}

TEST_CASE_METHOD(end_fixture, "a guest of a pc that ended is gone",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  check_end(GENERATE(guest_end{"pc", "ff.end=reboot", reset},
                     guest_end{"pc", "ff.end=panic", panicked},
                     guest_end{"pc", "ff.end=exit", panicked},
                     guest_end{"pc", "reboot=t ff.end=reset", reset},
                     guest_end{"pc", "ff.end=poweroff", off}));
}

TEST_CASE_METHOD(end_fixture, "a VMM that was killed says by what",
                 "[node][qemu][vm]") {
  if (!can_run())
    return;
  const auto where = ending("killed", "microvm", "ff.end=exit ff.after=600");
  const auto vm = start(where);
  const auto process =
    qemu::find_process(qemu::identify(static_cast<pid_t>(vm->describe().pid)));
  REQUIRE(process.runs());
  SECTION("while its node looks") {
    qemu::send_signal(process.pidfd(), SIGKILL);
    CHECK(end_of(*vm) == "its VMM was killed by signal 9 (SIGKILL)");
  }
  SECTION("by a signal that it takes") {
    qemu::send_signal(process.pidfd(), SIGTERM);
    CHECK(end_of(*vm) == "its VMM was ended by a signal from its host");
  }
  SECTION("while no node looks") {
    auto gone = vm;
    forget(gone);
    qemu::send_signal(process.pidfd(), SIGKILL);
    REQUIRE(qemu::wait_for_end(process.pidfd(), soon()));
    auto found = driver().adopt(where, soon());
    REQUIRE_FALSE(found);
    CHECK(found.error().code == ec::vmm_gone);
  }
}

TEST_CASE_METHOD(end_fixture, "a start that cannot be cleared says so",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto where = ending("left", "microvm", "ff.end=exit ff.after=600");
  const auto vm = start(where);
  const auto process =
    qemu::find_process(qemu::identify(static_cast<pid_t>(vm->describe().pid)));
  REQUIRE(process.runs());
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto cleared = driver().clear(where.directory, soon());
  const auto found = driver().adopt(where, soon());
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE_FALSE(cleared);
  CHECK(cleared.error().code != ec::vmm_gone);
  REQUIRE_FALSE(found);
  CHECK(found.error().code != ec::vmm_gone);
  CHECK_FALSE(qemu::has_ended(process.pidfd()));
  CHECK(driver().clear(where.directory, soon()));
  CHECK(qemu::has_ended(process.pidfd()));
}

TEST_CASE_METHOD(end_fixture, "a keeper that was stopped costs no branch",
                 "[node][qemu][vm][safety]") {
  if (!can_run())
    return;
  const auto where = ending("kept", "microvm", "ff.end=exit ff.after=600");
  const auto vm = start(where);
  const auto link = qemu::keeper_link::connect(
    where.directory + "/" + qemu::keeper_socket, soon());
  REQUIRE(link);
  const auto keeper = qemu::find_process(link->identity().keeper);
  REQUIRE(keeper.runs());
  qemu::send_signal(keeper.pidfd(), SIGSTOP);
  branch(*vm, branch_mode::full, "while-stopped");
  REQUIRE_FALSE(last_result().warnings.empty());
  CHECK(last_result().warnings[0].find("was stopped, and goes on")
        != std::string::npos);
  branch(*vm, branch_mode::full, "after");
  CHECK(last_result().warnings.empty());
}
