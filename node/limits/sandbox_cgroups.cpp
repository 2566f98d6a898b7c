// SPDX-License-Identifier: Apache-2.0
#include "node/limits/sandbox_cgroups.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

using std::chrono::steady_clock;

constexpr int poll_interval_ms = 5;
constexpr std::size_t places_max = 16;
constexpr int make_attempts = 3;

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

/// 0, or errno. Never makes a file: the kernel makes those of a cgroup.
int write_setting(const std::string& path, std::string_view text) {
  const auto file = unique_fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file)
    return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

bool has_word(const std::string& path, const std::string& word) {
  const auto words = words_in(read_small_file(path).value_or(""));
  return std::ranges::count(words, word) > 0;
}

/// MAJOR:MINOR of the disk that `path` lies on, of the whole disk where that
/// is a partition; empty when it lies on none of its own.
std::string device_of(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || major(info.st_dev) == 0)
    return {};
  const auto number =
    fmt::format("{}:{}", major(info.st_dev), minor(info.st_dev));
  const auto place = "/sys/dev/block/" + number;
  if (::access((place + "/partition").c_str(), F_OK) != 0)
    return number;
  auto room = std::array<char, PATH_MAX>{};
  if (!::realpath(place.c_str(), room.data()))
    return {};
  const auto text =
    read_small_file(parent_of(std::string{room.data()}) + "/dev").value_or("");
  return text.substr(0, text.find('\n'));
}

/// The parent may be removed between the two steps: its last child went.
int make_two(const std::string& parent, const std::string& path) {
  int error = 0;
  for (int i = 0; i < make_attempts; ++i) {
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST)
      return errno;
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST)
      return 0;
    error = errno;
    if (error != ENOENT)
      break;
  }
  return error;
}

} // namespace

std::string own_cgroup() {
  const auto mount = cgroup_mount(
    read_small_file("/proc/self/mountinfo", 1u << 20).value_or(""));
  const auto own = cgroup_of(read_small_file("/proc/self/cgroup").value_or(""));
  if (mount.empty() || own.empty())
    return {};
  return own == "/" ? mount : mount + own;
}

sandbox_cgroups::sandbox_cgroups(std::string base, std::string data,
                                 config::enforcement enforce)
  : base_{base.empty() ? own_cgroup() : std::move(base)},
    data_{std::move(data)}, prefix_{cgroup_prefix_of(data_)}, enforce_{
                                                                enforce} {}

std::string sandbox_cgroups::path_of(const sandbox_id& id) const {
  if (base_.empty())
    return {};
  return base_ + "/" + cgroup_parent + "/" + prefix_ + id.value;
}

expected<made_cgroup> sandbox_cgroups::make(const sandbox_id& id,
                                            const sandbox_limits& limits) {
  auto result = made_cgroup{.path = path_of(id)};
  const auto add = [&result](const std::string& why) {
    if (!why.empty())
      result.unenforced += (result.unenforced.empty() ? "" : "; ") + why;
  };
  if (base_.empty())
    add("all: cgroup v2 is not mounted on this host");
  else if (auto noted = note_place(); !noted)
    return tl::unexpected(noted.error());
  else if (const int error = make_two(parent_of(result.path), result.path);
           error != 0) {
    add("all: " + errno_failure(error, result.path).message
        + "; give hosts[].cgroup a cgroup that is the node's own");
    result.path.clear();
  }
  if (!result.path.empty())
    for (const auto& setting : settings_for(limits, device_of(data_)))
      add(enforce_one(result.path, setting));
  if (result.unenforced.empty() || enforce_ == config::enforcement::best_effort)
    return result;
  if (!result.path.empty())
    static_cast<void>(
      remove_cgroup(result.path, {}, steady_clock::now()).has_value());
  return fail(ec::unsupported,
              "limits of " + id.value
                + " that cannot be enforced here: " + result.unenforced
                + "; allow that by limits.enforce: "
                  "best-effort in the fleet file");
}

/// Durably, before the first cgroup is made.
status sandbox_cgroups::note_place() {
  const std::lock_guard lock{mutex_};
  if (is_noted_)
    return {};
  auto places = cgroup_places(data_);
  if (!places)
    return tl::unexpected(places.error());
  const auto place = base_ + "/" + cgroup_parent;
  std::erase(*places, place);
  places->insert(places->begin(), place);
  places->resize(std::min(places->size(), places_max));
  std::string text;
  for (const auto& x : *places)
    text += x + "\n";
  auto kept = write_durably(data_ + "/" + cgroup_places_file, text);
  is_noted_ = kept.has_value();
  return kept;
}

/// Hands a controller down to the VMs' cgroups; says why it cannot.
std::string
sandbox_cgroups::open_controller(const std::string& controller) const {
  for (const auto& place : {base_, base_ + "/" + cgroup_parent}) {
    if (!has_word(place + "/cgroup.controllers", controller))
      return fmt::format("{}: {} has no such controller", controller, place);
    const auto file = place + "/cgroup.subtree_control";
    if (has_word(file, controller))
      continue;
    const int error = write_setting(file, "+" + controller);
    if (error == EBUSY)
      return fmt::format("{}: {} has processes of its own; give hosts[].cgroup "
                         "a cgroup without any",
                         controller, place);
    if (error != 0)
      return controller + ": " + errno_failure(error, file).message;
  }
  return {};
}

std::string sandbox_cgroups::enforce_one(const std::string& path,
                                         const cgroup_setting& setting) const {
  if (setting.text.empty())
    return setting.controller + ": " + data_ + " lies on no disk of its own";
  if (auto why = open_controller(setting.controller); !why.empty())
    return why;
  const auto file = path + "/" + setting.file;
  const int error = write_setting(file, setting.text);
  return error == 0
           ? std::string{}
           : setting.controller + ": " + errno_failure(error, file).message;
}

std::string sandbox_cgroups::describe() const {
  if (base_.empty())
    return "none: cgroup v2 is not mounted";
  const auto words =
    words_in(read_small_file(base_ + "/cgroup.controllers").value_or(""));
  std::string result;
  for (const auto* controller : {"memory", "cpu", "pids", "io"})
    if (std::ranges::count(words, controller) > 0)
      result += (result.empty() ? "" : " ") + std::string{controller};
  return result.empty() ? "none: " + base_ + " has no controllers" : result;
}

std::string cgroup_prefix_of(const std::string& data) {
  auto room = std::array<char, PATH_MAX>{};
  const auto* real = ::realpath(data.c_str(), room.data());
  return cgroup_prefix(real ? std::string{real} : data);
}

std::string killed_for_memory(const std::string& path) {
  auto events =
    std::istringstream{read_small_file(path + "/memory.events").value_or("")};
  auto name = std::string{};
  uint64_t count = 0;
  while (events >> name >> count)
    if (name == "oom_kill" && count > 0) {
      auto limit = read_small_file(path + "/memory.max").value_or("");
      limit = limit.substr(0, limit.find('\n'));
      return fmt::format("the kernel ended {} of its processes, because its "
                         "cgroup was at its memory limit{}",
                         count, limit.empty() ? "" : " of " + limit + " bytes");
    }
  return {};
}

status remove_cgroup(const std::string& path,
                     std::chrono::milliseconds patience, deadline_point until) {
  if (path.empty())
    return {};
  const auto kill_at = steady_clock::now() + patience;
  for (;;) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT)
      break;
    if (errno != EBUSY)
      return tl::unexpected(errno_failure(errno, path));
    if (steady_clock::now() >= kill_at)
      write_setting(path + "/cgroup.kill", "1");
    if (steady_clock::now() >= until && steady_clock::now() >= kill_at)
      return fail(ec::deadline_exceeded,
                  path + ": processes in it do not end when killed");
    ::poll(nullptr, 0, poll_interval_ms);
  }
  const auto parent = parent_of(path);
  if (parent.ends_with(std::string{"/"} + cgroup_parent))
    ::rmdir(parent.c_str());
  return {};
}

expected<std::vector<std::string>> cgroup_places(const std::string& data) {
  const auto path = data + "/" + cgroup_places_file;
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
    return std::vector<std::string>{};
  const auto text = read_small_file(path);
  if (!text)
    return tl::unexpected(text.error());
  auto lines = std::istringstream{*text};
  std::vector<std::string> result;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("/") && result.size() < places_max)
      result.push_back(line);
  return result;
}

} // namespace forkfleet
