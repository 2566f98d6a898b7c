// SPDX-License-Identifier: Apache-2.0
#include "tests/support/vm_fixture.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/vm_owner.hpp"
#include "tests/support/hand_vm.hpp"
#include "tests/support/memory_chain.hpp"
#include "tests/support/skip.hpp"

namespace forkfleet::test {

namespace {

using std::chrono::steady_clock;

uint32_t next_uid = 4'000'000'000;

constexpr uint64_t memory_bytes = 128ull << 20;
constexpr const char* guest_words =
  "ff.rate_mib=50 ff.set_mib=16 ff.tick_us=1000";

unique_fd create(const std::string& path) {
  return unique_fd{
    ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
}

} // namespace

deadline_point soon() {
  return steady_clock::now() + std::chrono::seconds{40};
}

capture_plan snapshot_in_making::plan(branch_mode mode) {
  sink = std::make_unique<flat_sink>(memory.get(), "memory", files.memory.bytes,
                                     flat_origin::fresh);
  return {.operation = {"op-1"},
          .mode = mode,
          .memory = sink.get(),
          .vmstate_fd = vmstate.get()};
}

vm_fixture::vm_fixture()
  : driver_{qemu_driver_settings{}}, untracked_driver_{qemu_driver_settings{
                                       .preload = "/none"}} {}

vm_fixture::~vm_fixture() {
  for (const auto& vm : vms_)
    if (auto stopped = vm->stop(soon()); !stopped)
      WARN(to_string(stopped.error()));
}

bool vm_fixture::can_run() const {
  const auto obstacle = guest_obstacle();
  if (!obstacle.empty())
    skip(obstacle);
  return obstacle.empty();
}

start_plan vm_fixture::plan(const std::string& name) const {
  auto result = start_plan{.id = {name}, .directory = home() + "/" + name};
  std::filesystem::create_directory(result.directory);
  // As a node that runs as root does it.
  if (::geteuid() == 0)
    REQUIRE(qemu::set_vm_uid(result.directory, next_uid++));
  result.spec.name = {name};
  const auto guest = std::filesystem::current_path() / "build" / "guest";
  result.spec.kernel = guest / "vmlinuz";
  result.spec.initrd = guest / "initrd.img";
  result.spec.append = guest_words;
  result.spec.memory = {memory_bytes};
  result.spec.debug_console = true;
  result.leash_pid = ::getpid();
  return result;
}

vmm_ptr vm_fixture::start(const start_plan& plan) {
  return start_by(driver_, plan);
}

vmm_ptr vm_fixture::start_untracked(const start_plan& plan) {
  return start_by(untracked_driver_, plan);
}

vmm_ptr vm_fixture::start_by(vmm_driver& driver, const start_plan& plan) {
  auto vm = driver.start(plan, soon());
  if (!vm)
    FAIL(to_string(vm.error()));
  vms_.push_back(*vm);
  return *vm;
}

void vm_fixture::forget(vmm_ptr& vm) {
  std::erase(vms_, vm);
  vm.reset();
}

void vm_fixture::wait_until_running(vmm& vm) {
  const auto until = soon();
  while (vm.health(until) != vmm_health::running && steady_clock::now() < until)
    ::poll(nullptr, 0, 2);
  CHECK(vm.health(soon()) == vmm_health::running);
}

vmm_ptr vm_fixture::adopt(const start_plan& plan) {
  auto vm = driver_.adopt(plan, soon());
  if (!vm)
    FAIL(to_string(vm.error()));
  vms_.push_back(*vm);
  return *vm;
}

snapshot_in_making vm_fixture::make_snapshot(const std::string& name,
                                             const vmm& vm) {
  auto result = snapshot_in_making{};
  result.files.info.tag = {name};
  result.files.info.origin = snapshot_origin::sealed;
  result.files.is_vouched = true;
  result.files.contract = vm.contract();
  const auto memory_path = home() + "/" + name + ".memory";
  result.files.memory = flat_layout(memory_path, vm.describe().memory_bytes);
  result.files.vmstate_path = home() + "/" + name + ".vmstate";
  result.memory = create(memory_path);
  result.vmstate = create(result.files.vmstate_path);
  const auto size = static_cast<off_t>(vm.describe().memory_bytes);
  REQUIRE(::ftruncate(result.memory.get(), size) == 0);
  return result;
}

snapshot_files vm_fixture::branch(vmm& vm, branch_mode mode,
                                  const std::string& name) {
  auto made = make_snapshot(name, vm);
  result_ = take(vm, made.plan(mode));
  made.files.disks = result_.disks;
  made.files.info.root_hash = "root-of-" + name;
  vm.commit(made.files.info.root_hash);
  made_[name] = made.files;
  return made.files;
}

capture_base vm_fixture::base_of(const std::string& name) const {
  const auto& files = made_.at(name);
  return {.root_hash = files.info.root_hash,
          .image = std::make_shared<layout_image>(files.memory)};
}

snapshot_files vm_fixture::diff(vmm& vm, const std::string& base,
                                const std::string& name) {
  auto made = make_snapshot(name, vm);
  auto sink = packed_sink{home() + "/" + name + ".diff"};
  auto plan = made.plan(branch_mode::diff);
  plan.scope = capture_scope::changed;
  plan.base = base_of(base);
  plan.memory = &sink;
  result_ = take(vm, plan);
  made.files.disks = result_.disks;
  made.files.memory = sink.over(made_.at(base).memory);
  made.files.info.root_hash = "root-of-" + name;
  vm.commit(made.files.info.root_hash);
  made_[name] = made.files;
  return made.files;
}

capture_result vm_fixture::take(vmm& vm, const capture_plan& plan) {
  auto check = [](const char* step, const status& done) {
    INFO(step << ": " << (done ? "" : to_string(done.error())));
    REQUIRE(done);
  };
  check("prepare",
        vm.prepare(plan, soon()).map([](const capture_forecast&) {}));
  const auto paused = vm.pause(soon());
  const auto captured = paused ? vm.capture(soon()) : paused;
  const auto resumed = vm.resume(soon());
  check("pause and capture", captured);
  check("resume", resumed);
  auto drained = vm.drain(soon());
  check("drain", drained.map([](const capture_result&) {}));
  return *drained;
}

vmm_ptr vm_fixture::restore(const snapshot_files& snapshot,
                            const std::string& name) {
  auto child = plan(name);
  child.snapshot = snapshot;
  return start(child);
}

std::unique_ptr<guest::guest_watch> vm_fixture::watch(const vmm& vm) {
  auto opened = guest::guest_watch::open(vm.describe().debug_console, soon());
  if (!opened)
    FAIL(to_string(opened.error()));
  auto ticked = (*opened)->wait_for_tick(steady_clock::now(), soon());
  if (!ticked)
    FAIL(to_string(ticked.error()));
  return std::move(*opened);
}

void vm_fixture::check_guest(const vmm& vm, uint64_t ticks) {
  const auto watch = vm_fixture::watch(vm);
  const auto reached =
    watch->wait_for_counter(watch->last()->counter + ticks, soon());
  INFO(watch->state().first_error);
  CHECK(reached);
  CHECK(watch->state().errors == 0);
  CHECK(watch->log().leaps() == 0);
}

int in_other_process(const std::function<void()>& action,
                     const std::function<void()>& when_stopped) {
  const auto parent = ::getpid();
  const auto pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent)
      action();
    ::_exit(0);
  }
  int code = 0;
  for (;;) {
    if (::waitpid(pid, &code, WUNTRACED) < 0 && errno == EINTR)
      continue;
    if (!WIFSTOPPED(code))
      return code;
    when_stopped();
    ::kill(pid, SIGCONT);
  }
}

child_process::child_process(std::vector<std::string> argv,
                             const std::string& directory) {
  auto pointers = std::vector<char*>{};
  for (auto& argument : argv)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const auto parent = ::getpid();
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ > 0)
    return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent && ::chdir(directory.c_str()) == 0) {
    if (argv.empty())
      ::pause();
    else
      ::execv(pointers.front(), pointers.data());
  }
  ::_exit(127);
}

void child_process::kill() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
    continue;
  pid_ = 0;
}

} // namespace forkfleet::test
