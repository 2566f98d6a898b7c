// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"
#include "node/doctor/checks.hpp"
#include "node/qemu/host_facts.hpp"

namespace forkfleet::doctor {

namespace {

constexpr off_t probe_bytes = 1 << 20;
constexpr off_t probe_hole = 64 << 10;
constexpr rlim_t descriptors_for_a_vm = 5;
constexpr rlim_t descriptors_wanted = 4096;

unique_fd nameless_file(const std::string& directory) {
  return unique_fd{
    ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
}

bool can_reserve(int file) {
  return ::fallocate(file, 0, 0, probe_bytes) == 0;
}

bool can_give_back(int file) {
  return ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                     probe_hole)
         == 0;
}

bool can_share(const std::string& directory, int from) {
  const auto to = nameless_file(directory);
  return to && ::ioctl(to.get(), FICLONE, from) == 0;
}

host_check check_data(const examination& what) {
  const auto directory = existing_place(what.data);
  const auto file = nameless_file(directory);
  if (!file)
    return bad("data", errno_failure(errno, directory).message,
               "give hosts[].data a directory that the node may write, on "
               "ext4, xfs or btrfs");
  const bool reserves = can_reserve(file.get());
  const bool gives_back = can_give_back(file.get());
  const auto text = fmt::format(
    "{}: space {} reserved, {} given back; files {} share blocks", directory,
    reserves ? "can be" : "cannot be", gives_back ? "can be" : "cannot be",
    can_share(directory, file.get()) ? "can" : "cannot");
  if (reserves && gives_back)
    return ok("data", text);
  return bad("data",
             text
               + ". A full disk may end a branch half-way, and consoles have "
                 "no bound",
             "lay hosts[].data on ext4, xfs or btrfs");
}

host_check check_descriptors() {
  auto limit = rlimit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return warn("descriptors", errno_failure(errno, "RLIMIT_NOFILE").message,
                "look at the limits of this process");
  const auto text =
    fmt::format("{} open files, at most {}: a VM takes about {}",
                limit.rlim_cur, limit.rlim_max, descriptors_for_a_vm);
  if (limit.rlim_max >= descriptors_wanted)
    return ok("descriptors", text);
  return warn("descriptors", text,
              fmt::format("let the node have at least {}: LimitNOFILE= of its "
                          "unit, or ulimit -Hn",
                          descriptors_wanted));
}

host_check check_mappings() {
  constexpr std::size_t wanted = 65530;
  const auto most = qemu::mappings_max();
  const auto text = fmt::format("{} mappings for a process", most);
  return most >= wanted
           ? ok("mappings", text)
           : warn("mappings",
                  text + ": children of chains are flattened sooner",
                  fmt::format("set the sysctl vm.max_map_count to {}", wanted));
}

host_check check_clock() {
  auto source = read_small_file("/sys/devices/system/clocksource/clocksource0/"
                                "current_clocksource")
                  .value_or("unknown\n");
  source = source.substr(0, source.find('\n'));
  auto state = timex{};
  const bool is_kept =
    ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  const auto text = fmt::format("by {}, {} with a time server", source,
                                is_kept ? "in step" : "not in step");
  constexpr auto slow = std::array{"hpet", "acpi_pm", "jiffies",
                                   "refined-"
                                   "jiffies"};
  if (std::ranges::find(slow, source) != slow.end())
    return warn("clock", text + "; that source is slow to read",
                "use a machine with a stable time stamp counter");
  return is_kept ? ok("clock", text)
                 : warn("clock", text + ": guests get this clock",
                        "run chrony or systemd-timesyncd");
}

} // namespace

std::string existing_place(const std::string& path) {
  auto place = std::filesystem::path{path};
  auto error = std::error_code{};
  while (place.has_parent_path() && place != place.parent_path()
         && !std::filesystem::exists(place, error))
    place = place.parent_path();
  return place.string();
}

checks check_resources(const examination& what) {
  return {check_data(what), check_descriptors(), check_mappings(),
          check_clock()};
}

} // namespace forkfleet::doctor
