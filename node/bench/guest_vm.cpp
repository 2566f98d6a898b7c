// SPDX-License-Identifier: Apache-2.0
#include "node/bench/guest_vm.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "actors/durable_file.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/machine.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto stop_limit = 60s;
constexpr auto look_interval = 20ms;
constexpr int slow_factor = 10;
/// Past its boot.
constexpr uint64_t first_counter = 2000;
constexpr uint64_t mib_pages = (1u << 20) / guest_page_bytes;

std::vector<std::string> disk_arguments(const guest_plan& plan) {
  if (plan.numbered_disk.empty())
    return {};
  return {"-blockdev",
          "driver=file,node-name=numbered-file,read-only=on,cache.direct="
            + std::string{plan.is_disk_direct ? "on" : "off"}
            + ",filename=" + plan.numbered_disk,
          "-blockdev",
          "driver=raw,node-name=numbered,file=numbered-file,read-only=on",
          "-device",
          "virtio-blk-device,drive=numbered"};
}

config::sandbox_section spec_of(const guest_plan& plan) {
  config::sandbox_section spec;
  spec.name = {plan.name};
  spec.kernel = plan.guest_directory + "/vmlinuz";
  spec.initrd = plan.guest_directory
                + (plan.has_agent ? "/initrd-agent.img" : "/initrd.img");
  spec.guest_agent = plan.has_agent;
  spec.append = "ff.rate_mib=" + std::to_string(plan.rate_mib)
                + " ff.set_mib=" + std::to_string(ring_mib(plan))
                + (plan.rate_mib == 0 ? " ff.idle=sleep" : "");
  spec.memory = {plan.memory_mib << 20};
  spec.debug_console = true;
  if (plan.numbered_disk.empty())
    return spec;
  spec.vcpus = 2;
  spec.append += " ff.idle=sleep ff.direct=3 ff.churn_mib="
                 + std::to_string(plan.memory_mib / 4);
  spec.qemu_arguments = disk_arguments(plan);
  return spec;
}

/// The child side of fork: becomes QEMU or ends.
[[noreturn]] void become(std::vector<std::string>& words,
                         const std::string& directory, int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0); // Ctrl-C is for us
  if (getppid() != parent || chdir(directory.c_str()) != 0)
    _exit(127);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0);
  dup2(nothing, 1);
  dup2(nothing, 2);
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  _exit(127);
}

} // namespace

/// The arguments of a snapshot's VM are those that this program gave it.
static host_images_ptr images_for(const snapshot_files& files) {
  constexpr std::string_view key = "argument=";
  auto result = host_images{.arguments = {{}}};
  for (const auto& x : files.contract.arguments)
    if (x.starts_with(key))
      result.arguments.front().push_back(x.substr(key.size()));
  return std::make_shared<host_images>(std::move(result));
}

uint64_t ring_mib(const guest_plan& plan) {
  const auto share = plan.numbered_disk.empty() ? 2 : 32;
  return std::min<uint64_t>(plan.memory_mib / share, 384);
}

expected<std::unique_ptr<guest_vm>> guest_vm::start(vmm_driver& driver,
                                                    const guest_plan& plan) {
  std::unique_ptr<guest_vm> vm{new guest_vm{plan.directory + "/" + plan.name}};
  std::error_code problem;
  std::filesystem::remove_all(vm->directory_, problem);
  if (auto made = make_directory(vm->directory_); !made)
    return tl::unexpected(made.error());
  start_plan what{.id = {plan.name},
                  .directory = vm->directory_,
                  .spec = spec_of(plan),
                  .snapshot = plan.snapshot,
                  .leash_pid = getpid()};
  if (plan.snapshot)
    what.images = images_for(*plan.snapshot);
  if (plan.owner == vm_owner::hand) {
    if (auto started = vm->start_by_hand(plan); !started)
      return tl::unexpected(started.error());
    what.directory = vm->directory_ + "/driver";
    if (auto made = make_directory(what.directory); !made)
      return tl::unexpected(made.error());
    what.spec = {};
    what.spec.name = {plan.name};
    what.spec.attach.qmp = vm->directory_ + "/" + qemu::qmp_socket;
    what.spec.attach.watchdog_qmp =
      vm->directory_ + "/" + qemu::watchdog_socket;
    what.spec.qemu_arguments = disk_arguments(plan);
  } else if (!plan.snapshot && plan.has_hand) {
    auto& arguments = what.spec.qemu_arguments;
    arguments.insert(
      arguments.end(),
      {"-qmp", "unix:" + vm->directory_ + "/hand.sock,server=on,wait=off"});
  }
  auto started = driver.start(what, clock::now() + plan.patience);
  if (!started)
    return tl::unexpected(started.error());
  vm->vmm_ = *started;
  const auto console = plan.owner == vm_owner::hand
                         ? vm->directory_ + "/" + qemu::debug_socket
                         : vm->vmm_->describe().debug_console;
  if (auto heard = vm->listen(console, plan.patience); !heard)
    return tl::unexpected(heard.error());
  return vm;
}

status guest_vm::start_by_hand(const guest_plan& plan) {
  auto words = qemu::command_line(
    qemu::machine_of(spec_of(plan), "tcg", qemu::host_tsc_khz()),
    {.qemu = "qemu-system-x86_64"});
  if (plan.is_memory_shared)
    for (auto& word : words)
      if (constexpr std::string_view plain = "memory-backend-ram,";
          word.starts_with(plain))
        word.replace(0, plain.size(), "memory-backend-memfd,share=on,");
  const auto parent = getpid();
  pid_ = fork();
  if (pid_ < 0)
    return tl::unexpected(errno_failure(errno, "fork"));
  if (pid_ == 0)
    become(words, directory_, parent);
  // The driver attaches to what is there.
  auto heard = listen(directory_ + "/" + qemu::debug_socket, plan.patience);
  watch_.reset();
  return heard;
}

status guest_vm::listen(const std::string& console,
                        std::chrono::seconds patience) {
  const auto until = clock::now() + patience;
  auto opened = guest::guest_watch::open(console, until);
  if (!opened)
    return tl::unexpected(opened.error());
  watch_ = std::move(*opened);
  const auto heard = watch_->wait_for_counter(first_counter, until);
  return heard ? status{} : tl::unexpected(heard.error());
}

guest_vm::~guest_vm() {
  watch_.reset();
  if (vmm_)
    std::ignore = vmm_->stop(clock::now() + stop_limit);
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

expected<hand_capture> guest_vm::by_hand() const {
  return hand_capture::connect(directory_ + "/hand.sock");
}

expected<start_plan> plan_child(const std::string& name,
                                const std::string& parent,
                                const snapshot_files& files) {
  start_plan what{.id = {name},
                  .directory = parent + "/" + name,
                  .snapshot = files,
                  .leash_pid = getpid()};
  if (auto made = make_directory(what.directory); !made)
    return tl::unexpected(made.error());
  what.spec.name = what.id;
  what.spec.memory = {files.info.memory_bytes};
  what.spec.vcpus = files.contract.vcpus;
  what.images = images_for(files);
  return what;
}

status check_snapshot(vmm_driver& driver, const snapshot_files& files,
                      guest_plan plan, std::chrono::seconds limit) {
  plan.snapshot = files;
  plan.owner = vm_owner::driver;
  plan.patience = limit;
  const auto child = guest_vm::start(driver, plan);
  if (!child && child.error().code == ec::vmm_gone)
    return fail(ec::deadline_exceeded,
                "the child ended by itself: " + child.error().message);
  // What its driver refuses is not the guest's own finding.
  if (!child && child.error().code != ec::deadline_exceeded)
    return fail(ec::vmm_refused, to_string(child.error()));
  if (!child)
    return tl::unexpected(child.error());
  const auto& watch = (*child)->watch();
  const auto pages = ring_mib(plan) * mib_pages;
  const auto begun = clock::now();
  uint64_t first = 0;
  uint64_t seen = 0;
  for (auto moved = begun; clock::now() < moved + limit && !watch.ended();) {
    const auto state = watch.state();
    if (state.errors > 0) {
      const auto said = watch.wait_for_error(clock::now() + 5s);
      return fail(ec::snapshot_corrupt,
                  said ? said->first_error : "the child found errors");
    }
    if (first == 0)
      first = state.pages_checked;
    else if (state.pages_checked >= first + pages)
      return {};
    // A slow child of a busy machine goes on; one that hangs does not.
    if (state.pages_checked > seen
        && clock::now() < begun + slow_factor * limit)
      moved = clock::now();
    seen = state.pages_checked;
    std::this_thread::sleep_for(look_interval);
  }
  return fail(ec::deadline_exceeded,
              watch.ended()
                ? "the child ended by itself"
                : fmt::format("the child has looked at {} of {} pages",
                              seen - std::min(first, seen), pages));
}

} // namespace forkfleet::bench
