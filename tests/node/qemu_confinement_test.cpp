// SPDX-License-Identifier: Apache-2.0
// What real VMs may do on their host: as the kernel tells it.
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/limits/vm_users.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/process.hpp"
#include "node/qemu/qemu_facts.hpp"
#include "node/qemu/vm_owner.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/vm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint32_t first_uid = 4'000'000'100;

// CAP_DAC_OVERRIDE, and CAP_SYS_PTRACE for a userfaultfd.
constexpr uint64_t qemu_rights = 1u << 1 | 1u << 19;

/// The lines of /proc/PID/status of the process and all of its threads.
using facts = std::map<std::string, std::string>;

facts facts_in(const std::string& path) {
  auto result = facts{};
  auto file = std::ifstream{path};
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    auto value = line.substr(std::min(line.size(), colon + 1));
    value.erase(0, value.find_first_not_of(" \t"));
    result[line.substr(0, colon)] = value;
  }
  return result;
}

std::vector<facts> threads_of(const vmm& vm) {
  const auto tasks = "/proc/" + std::to_string(vm.describe().pid) + "/task";
  auto result = std::vector<facts>{};
  for (const auto& task : std::filesystem::directory_iterator{tasks})
    result.push_back(facts_in(task.path() / "status"));
  REQUIRE_FALSE(result.empty());
  return result;
}

/// The files that the process has open for writing.
std::vector<std::string> written_by(const vmm& vm) {
  const auto process = "/proc/" + std::to_string(vm.describe().pid);
  auto result = std::vector<std::string>{};
  for (const auto& entry :
       std::filesystem::directory_iterator{process + "/fd"}) {
    auto error = std::error_code{};
    const auto path =
      std::filesystem::read_symlink(entry.path(), error).string();
    auto info =
      facts_in(process + "/fdinfo/" + entry.path().filename().string());
    const auto flags = std::strtoul(info["flags"].c_str(), nullptr, 8);
    if (std::filesystem::is_regular_file(entry.path(), error)
        && (flags & O_ACCMODE) != O_RDONLY)
      result.push_back(path);
  }
  return result;
}

class confined_fixture : public vm_fixture {
public:
  bool can_run() const {
    if (!vm_fixture::can_run())
      return false;
    const auto why = user_obstacle({first_uid, first_uid + 9}, home());
    if (!why.empty())
      skip("no users for VMs: " + why);
    return why.empty();
  }

  void check_confined(const vmm& vm, const std::string& directory) {
    const auto uid = std::to_string(qemu::vm_uid_of(directory));
    const auto four = uid + "\t" + uid + "\t" + uid + "\t" + uid;
    for (auto& thread : threads_of(vm)) {
      CHECK(thread["Uid"] == four);
      CHECK(thread["Gid"] == four);
      CHECK(thread["NoNewPrivs"] == "1");
      CHECK(thread["Seccomp"] == "2");
      for (const auto* set : {"CapEff", "CapPrm", "CapBnd", "CapAmb"})
        CHECK(thread[set] == "0000000000000000");
    }
    for (const auto& path : written_by(vm))
      CHECK_THAT(path, Catch::StartsWith(directory + "/"));
  }
};

/// Whether that user can open it so.
bool can_open(uint32_t uid, const std::string& directory,
              const std::string& name, int flags) {
  const auto child = ::fork();
  if (child == 0) {
    if (::chdir(directory.c_str()) != 0 || ::setgroups(1, &uid) != 0
        || ::setgid(uid) != 0 || ::setuid(uid) != 0)
      ::_exit(2);
    ::_exit(::open(name.c_str(), flags) >= 0 ? 0 : 1);
  }
  int ended = 0;
  ::waitpid(child, &ended, 0);
  REQUIRE(WEXITSTATUS(ended) < 2);
  return WEXITSTATUS(ended) == 0;
}

} // namespace

TEST_CASE_METHOD(confined_fixture,
                 "a VM and its child have users of their own and no rights",
                 "[node][qemu][confinement][safety]") {
  if (!can_run())
    return;
  const auto at = plan("source");
  auto source = start(at);
  wait_until_running(*source);
  check_confined(*source, at.directory);
  const auto full = branch(*source, branch_mode::full, "full");
  auto child_at = plan("child");
  child_at.snapshot = full;
  auto child = start(child_at);
  wait_until_running(*child);
  check_confined(*child, child_at.directory);
  CHECK(qemu::vm_uid_of(at.directory) != qemu::vm_uid_of(child_at.directory));
  // What is another's cannot even be named.
  const auto uid = qemu::vm_uid_of(child_at.directory);
  CHECK_FALSE(can_open(uid, at.directory, "console.log", O_RDONLY));
  CHECK_FALSE(can_open(uid, child_at.directory, "new", O_RDWR | O_CREAT));
  CHECK_FALSE(can_open(uid, child_at.directory, "vm.json", O_RDONLY));
}

TEST_CASE_METHOD(confined_fixture,
                 "a confined VM is tracked, and its children's memory is right",
                 "[node][qemu][confinement][safety]") {
  if (!can_run())
    return;
  auto source = start(plan("source"));
  check_guest(*source, 500);
  branch(*source, branch_mode::full, "base");
  const auto method = last_result().method;
  check_guest(*source, 200);
  const auto child = restore(diff(*source, "base", "diff"), "child");
  // What a host gives to root's process it gives to this one.
  CHECK(last_result().method == method);
  check_guest(*child, 500);
  check_guest(*source, 200);
}

TEST_CASE_METHOD(confined_fixture,
                 "a sealed disk can be written by no VM, nor another's be read",
                 "[node][qemu][confinement][disk_layers][safety]") {
  if (!can_run())
    return;
  const auto base = home() + "/base.raw";
  std::ofstream{base} << std::string(8 << 20, '\0');
  std::filesystem::permissions(base, std::filesystem::perms::owner_read);
  auto at = plan("source");
  at.spec.append += " ff.disk=1";
  at.spec.disks = {{.path = base, .format = "raw"}};
  auto source = start(at);
  check_guest(*source, 500);
  const auto files = branch(*source, branch_mode::full, "snap");
  REQUIRE(files.disks.size() == 1);
  const auto frozen = at.directory + "/disk0-0.qcow2";
  const auto written = written_by(*source);
  CAPTURE(written);
  CHECK(std::ranges::count(written, frozen) == 0);
  CHECK(std::ranges::count(written, base) == 0);
  CHECK(std::ranges::count(written, at.directory + "/disk0-1.qcow2") > 0);
  const auto uid = qemu::vm_uid_of(at.directory);
  CHECK_FALSE(can_open(uid, at.directory, "disk0-0.qcow2", O_RDWR));
  CHECK(can_open(uid, at.directory, "disk0-1.qcow2", O_RDWR));
  CHECK(can_open(uid, at.directory, "disk0-0.qcow2", O_RDONLY));
  const auto child = restore(files, "child");
  check_guest(*child, 500);
  check_confined(*child, home() + "/child");
  const auto other = qemu::vm_uid_of(home() + "/child");
  CHECK_FALSE(can_open(other, at.directory, "disk0-1.qcow2", O_RDONLY));
  // Both go on with layers that are made while they run.
  branch(*source, branch_mode::full, "again");
  const auto grandchild =
    restore(branch(*child, branch_mode::full, "next"), "grandchild");
  check_guest(*grandchild, 500);
}

TEST_CASE_METHOD(confined_fixture, "a confined VM dies on its leash",
                 "[node][qemu][confinement][safety]") {
  if (!can_run())
    return;
  const auto at = plan("source");
  auto source = start(at);
  wait_until_running(*source);
  const auto link = qemu::keeper_link::connect(
    at.directory + "/" + qemu::keeper_socket, soon());
  REQUIRE(link);
  const auto vm = qemu::find_process(link->identity().vmm);
  const auto keeper = qemu::find_process(link->identity().keeper);
  REQUIRE(vm.runs());
  REQUIRE(keeper.runs());
  auto rights = facts_in("/proc/" + std::to_string(link->identity().keeper.pid)
                         + "/status");
  CHECK(rights["CapEff"] == "0000000000000020"); // to end its VM
  CHECK(rights["CapBnd"] == "0000000000000020");
  CHECK(rights["NoNewPrivs"] == "1");
  qemu::send_signal(keeper.pidfd(), SIGKILL);
  CHECK(qemu::wait_for_end(vm.pidfd(), soon()));
}

TEST_CASE_METHOD(confined_fixture,
                 "a QEMU without seccomp runs all the same, and that is told",
                 "[node][qemu][confinement]") {
  if (!can_run())
    return;
  const auto program = home() + "/qemu";
  std::ofstream{program}
    << "#!/bin/sh\ncase \"$*\" in *-sandbox*) echo 'seccomp support is "
       "disabled' >&2; exit 1;; esac\nexec qemu-system-x86_64 \"$@\"\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  CHECK_THAT(qemu::facts_of(program).sandbox_obstacle,
             Catch::Contains("seccomp support is disabled"));
  auto driver = qemu_driver{{.qemu = program}};
  auto vm = driver.start(plan("source"), soon());
  REQUIRE(vm);
  for (auto& thread : threads_of(**vm)) {
    CHECK(thread["Seccomp"] == "0");
    CHECK(thread["NoNewPrivs"] == "1");
    CHECK(thread["CapEff"] == "0000000000000000");
  }
  CHECK((*vm)->stop(soon()));
}

TEST_CASE_METHOD(confined_fixture,
                 "a VM without a user of its own has no more "
                 "rights than it needs",
                 "[node][qemu][confinement]") {
  if (!can_run())
    return;
  auto at = plan("source");
  std::filesystem::permissions(at.directory, std::filesystem::perms::owner_all);
  auto vm = start(at);
  for (auto& thread : threads_of(*vm)) {
    CHECK(thread["Uid"].starts_with("0\t"));
    CHECK(thread["NoNewPrivs"] == "1");
    CHECK(thread["Seccomp"] == "2");
    CHECK(thread["CapBnd"] == "0000000000000000");
    const auto rights = std::strtoull(thread["CapEff"].c_str(), nullptr, 16);
    CHECK((rights & ~qemu_rights) == 0);
  }
}
