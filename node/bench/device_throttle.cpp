// SPDX-License-Identifier: Apache-2.0
#include "node/bench/device_throttle.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace forkfleet::bench {

namespace {

constexpr const char* first_file = "/blkio.throttle.write_bps_device";
constexpr const char* second_group = "/forkfleet-bench";

/// Where a hierarchy is mounted that has the controller, or version 2.
struct group_roots {
  std::string first = {};
  std::string second = {};
};

group_roots find_roots() {
  group_roots result;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string place;
    std::string kind;
    std::string options;
    words >> device >> place >> kind >> options;
    if (kind == "cgroup" && ("," + options + ",").find(",blkio,") != line.npos)
      result.first = place;
    if (kind == "cgroup2")
      result.second = place;
  }
  return result;
}

/// The group of version 2 that this process is in.
std::string own_group(const std::string& root) {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::"))
      return root + line.substr(3);
  return root;
}

status put(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (file)
    return {};
  return tl::unexpected(errno_failure(errno, "write " + path, ec::unsupported));
}

/// Makes a group with a limit of its own and moves this process there.
status enter_group(const std::string& root) {
  if (auto on = put(root + "/cgroup.subtree_control", "+io +memory"); !on)
    return on;
  const auto group = root + second_group;
  if (mkdir(group.c_str(), 0755) != 0 && errno != EEXIST)
    return tl::unexpected(errno_failure(errno, "make " + group));
  return put(group + "/cgroup.procs", "0");
}

} // namespace

expected<device_throttle> device_throttle::find(kernel_settings& settings,
                                                std::string device) {
  const auto roots = find_roots();
  const auto file = roots.first + first_file;
  if (!roots.first.empty() && access(file.c_str(), W_OK) == 0)
    return device_throttle{settings, std::move(device), file, {}};
  if (roots.second.empty())
    return fail(ec::unsupported, "no control group can limit a device here: "
                                 "neither blkio nor io.max is mounted");
  auto home = own_group(roots.second);
  if (auto entered = enter_group(roots.second); !entered)
    return tl::unexpected(entered.error());
  return device_throttle{settings, std::move(device),
                         roots.second + second_group + "/io.max",
                         std::move(home)};
}

device_throttle::device_throttle(device_throttle&& other) noexcept
  : settings_(other.settings_), device_(std::move(other.device_)),
    file_(std::exchange(other.file_, {})), home_(std::move(other.home_)),
    is_noted_(other.is_noted_) {}

device_throttle::~device_throttle() {
  if (file_.empty())
    return;
  std::ignore = set(0);
  if (is_first())
    return;
  std::ignore = put(home_ + "/cgroup.procs", "0");
  rmdir(file_.substr(0, file_.rfind('/')).c_str());
}

std::string device_throttle::words(uint64_t bytes_per_second) const {
  const auto number = std::to_string(bytes_per_second);
  if (is_first())
    return device_ + " " + number;
  return device_ + " wbps=" + (bytes_per_second == 0 ? "max" : number);
}

status device_throttle::set(uint64_t bytes_per_second) {
  if (is_noted_)
    return put(file_, words(bytes_per_second));
  is_noted_ = true;
  return settings_->change(file_, words(bytes_per_second), {file_, words(0)});
}

std::string device_throttle::kind() const {
  return is_first() ? "blkio, cgroup v1" : "io.max, cgroup v2";
}

} // namespace forkfleet::bench
