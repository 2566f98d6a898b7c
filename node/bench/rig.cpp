// SPDX-License-Identifier: Apache-2.0
#include "node/bench/rig.hpp"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

#include "node/qemu/process.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr const char* dirty_bytes = "/proc/sys/vm/dirty_background_bytes";
constexpr const char* dirty_ratio = "/proc/sys/vm/dirty_background_ratio";
constexpr auto program_limit = 120s;
constexpr int probes_max = 3;

/// Mounts made from here on are seen by this process alone, and end with it.
status enter_namespace() {
  if (unshare(CLONE_NEWNS) != 0
      || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail(ec::not_permitted,
                "the rig mounts file systems of its own: run it as root");
  return {};
}

status mount_memory(const std::string& place, uint64_t bytes) {
  if (auto made = make_directories(place); !made)
    return made;
  const auto size = "size=" + std::to_string(bytes);
  if (mount("tmpfs", place.c_str(), "tmpfs", 0, size.c_str()) != 0)
    return tl::unexpected(errno_failure(errno, "mount a tmpfs on " + place));
  return {};
}

/// Runs a program of the system's, which need not be in $PATH.
status run(std::vector<std::string> words) {
  for (const auto* place : {"/usr/sbin/", "/sbin/", "/usr/local/sbin/"}) {
    const auto path = place + words.front();
    if (access(path.c_str(), X_OK) != 0)
      continue;
    words.front() = path;
    auto done = qemu::run_to_end(words, clock::now() + program_limit);
    if (done)
      return done;
    return fail(ec::unsupported, path + ": " + done.error().message);
  }
  return fail(ec::unsupported, "no " + words.front() + " here; install it");
}

expected<std::vector<std::string>> make_command(const std::string& system,
                                                const std::string& device) {
  if (system == "ext4")
    return std::vector<std::string>{
      "mkfs.ext4",
      "-q",
      "-F",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
      device};
  if (system == "xfs")
    return std::vector<std::string>{"mkfs.xfs", "-q", "-f", "-K", device};
  if (system == "btrfs")
    return std::vector<std::string>{"mkfs.btrfs", "-q", "-f", "-K", device};
  return fail(ec::invalid_request, "no such file system here: " + system);
}

std::string mount_options(const std::string& place) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string where;
    std::string kind;
    std::string options;
    words >> device >> where >> kind >> options;
    if (where == place)
      return options;
  }
  return {};
}

/// Writes and syncs a file; how many bytes went in a second.
expected<uint64_t> measure(const std::string& path, uint64_t probe_bytes) {
  auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!fd)
    return tl::unexpected(fd.error());
  unlink(path.c_str());
  const auto block = std::vector<uint8_t>(1'000'000, 0x5a);
  const auto start = clock::now();
  for (uint64_t at = 0; at < probe_bytes; at += block.size())
    if (auto written = write_at(fd->get(), block, at, path); !written)
      return tl::unexpected(written.error());
  if (auto synced = sync_data(fd->get(), path); !synced)
    return tl::unexpected(synced.error());
  const std::chrono::duration<double> took = clock::now() - start;
  return static_cast<uint64_t>(static_cast<double>(probe_bytes) / took.count());
}

} // namespace

expected<std::unique_ptr<rig>> rig::make(const rig_plan& plan) {
  if (geteuid() != 0)
    return fail(ec::not_permitted, "the rig makes devices: run it as root");
  auto settings = kernel_settings::open(rig_record);
  if (!settings)
    return tl::unexpected(settings.error());
  if (auto entered = enter_namespace(); !entered)
    return tl::unexpected(entered.error());
  std::unique_ptr<rig> result{new rig{plan, std::move(*settings)}};
  auto done = result->make_devices();
  if (done)
    done = result->make_file_system();
  if (done)
    done = result->check_bandwidth();
  if (!done)
    return tl::unexpected(done.error());
  return result;
}

status rig::make_devices() {
  home_ = std::string{rig_record} + "/mounts";
  memory_ = home_ + "/memory";
  const auto below = home_ + "/below";
  if (auto mounted = mount_memory(below, plan_.disk_bytes + (64u << 20));
      !mounted)
    return mounted;
  if (auto mounted = mount_memory(memory_, plan_.memory_disk_bytes); !mounted)
    return mounted;
  const auto image = below + "/disk";
  auto file = open_file(image, O_RDWR | O_CREAT | O_EXCL);
  if (!file)
    return tl::unexpected(file.error());
  if (ftruncate(file->get(), static_cast<off_t>(plan_.disk_bytes)) != 0)
    return tl::unexpected(errno_failure(errno, "grow " + image));
  auto lower = loop_device::attach(image, lower_io::cached);
  if (!lower)
    return tl::unexpected(lower.error());
  lower_ = std::move(*lower);
  auto upper = loop_device::attach(lower_->path(), lower_io::direct);
  if (!upper)
    return tl::unexpected(upper.error());
  upper_ = std::move(*upper);
  auto limit = device_throttle::find(settings_, lower_->number());
  if (!limit)
    return tl::unexpected(limit.error());
  throttle_.emplace(std::move(*limit));
  facts_.limit = throttle_->kind();
  return tune_device(upper_->name());
}

/// A queue like that of a SATA SSD.
status rig::tune_device(const std::string& name) {
  const auto queue = "/sys/block/" + name + "/queue/";
  if (auto done = settings_.change(queue + "rotational", "0"); !done)
    return done;
  // Not every kernel has it; the report says which one it was.
  std::ignore = settings_.change(queue + "scheduler", "mq-deadline");
  std::ignore = settings_.change(queue + "nr_requests", "64");
  facts_.device = name + " on " + lower_->name() + " on tmpfs, "
                  + read_setting(queue + "scheduler").value_or("?")
                  + ", queue of "
                  + read_setting(queue + "nr_requests").value_or("?");
  return {};
}

status rig::make_file_system() {
  auto words = make_command(plan_.file_system, upper_->path());
  if (!words)
    return tl::unexpected(words.error());
  if (auto made = run(std::move(*words)); !made)
    return made;
  disk_ = home_ + "/disk";
  if (auto made = make_directories(disk_); !made)
    return made;
  if (mount(upper_->path().c_str(), disk_.c_str(), plan_.file_system.c_str(), 0,
            nullptr)
      != 0)
    return tl::unexpected(
      errno_failure(errno, "mount " + plan_.file_system, ec::unsupported));
  facts_.options = mount_options(disk_);
  if (facts_.options.find("noauto_da_alloc") != std::string::npos)
    return fail(ec::unsupported,
                "ext4 is mounted with noauto_da_alloc, which changes what is "
                "to be measured");
  const auto ratio = read_setting(dirty_ratio);
  const auto bytes = read_setting(dirty_bytes);
  if (!ratio || !bytes)
    return fail(ec::unsupported, "no vm.dirty_background_bytes here");
  // One of the two is 0; to write the other puts both back.
  const auto undo = *bytes == "0" ? kernel_change{dirty_ratio, *ratio}
                                  : kernel_change{dirty_bytes, *bytes};
  return settings_.change(dirty_bytes,
                          std::to_string(plan_.dirty_background_bytes), undo);
}

/// A machine that is busy for a moment gets another chance.
status rig::check_bandwidth() {
  if (plan_.probe_bytes == 0)
    return settle();
  for (int attempt = 0; attempt < probes_max; ++attempt) {
    if (auto set = settle(); !set)
      return set;
    const auto got = measure(disk_ + "/probe", plan_.probe_bytes);
    if (!got)
      return tl::unexpected(got.error());
    facts_.achieved_bytes_per_second = *got;
    const auto share =
      static_cast<double>(*got) / static_cast<double>(plan_.bytes_per_second);
    if (share >= 1 - plan_.tolerance && share <= 1 + plan_.tolerance)
      return settle();
  }
  return fail(ec::unsupported,
              "the throttled device writes "
                + std::to_string(facts_.achieved_bytes_per_second)
                + " bytes in a second, not the "
                + std::to_string(plan_.bytes_per_second)
                + " that were set; try again when the machine is quiet");
}

status rig::throttle(bool on) {
  return throttle_->set(on ? plan_.bytes_per_second : 0);
}

status rig::settle() {
  if (auto lifted = throttle(false); !lifted)
    return lifted;
  const auto fd = open_file(disk_, O_RDONLY | O_DIRECTORY);
  if (!fd)
    return tl::unexpected(fd.error());
  if (syncfs(fd->get()) != 0)
    return tl::unexpected(errno_failure(errno, "sync " + disk_));
  return throttle(true);
}

void rig::undo() noexcept {
  if (throttle_)
    std::ignore = throttle_->set(0);
  if (!disk_.empty() && umount2(disk_.c_str(), 0) != 0)
    umount2(disk_.c_str(), MNT_DETACH);
  upper_.reset();
  throttle_.reset();
  lower_.reset();
  for (const auto* place : {"/memory", "/below"})
    if (!home_.empty())
      umount2((home_ + place).c_str(), MNT_DETACH);
  for (const auto* place : {"/disk", "/memory", "/below", ""})
    if (!home_.empty())
      rmdir((home_ + place).c_str());
}

rig::~rig() {
  // The device's settings go before the device does.
  if (throttle_)
    std::ignore = throttle_->set(0);
  settings_.put_back();
  undo();
}

} // namespace forkfleet::bench
