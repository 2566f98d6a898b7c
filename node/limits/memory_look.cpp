// SPDX-License-Identifier: Apache-2.0
#include "node/limits/memory_look.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>
#include <vector>

#include "actors/durable_file.hpp"
#include "node/limits/cgroup_plan.hpp"

namespace forkfleet {

namespace {

constexpr auto unlimited = std::numeric_limits<uint64_t>::max();

/// Version 1 says "no limit" by a number that no host has.
constexpr uint64_t no_limit = 1ull << 60;

/// The number after `name` at the beginning of a line.
bool find_number(std::string_view text, std::string_view name, uint64_t& x) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name))
      continue;
    line.remove_prefix(name.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return std::from_chars(line.data(), line.data() + line.size(), x).ec
           == std::errc{};
  }
  return false;
}

std::string proc_text(const std::string& path) {
  return read_small_file(path).value_or("");
}

/// The memory cgroup of version 1 in /proc/self/cgroup: "N:memory:/PATH".
std::string old_cgroup_of(const std::string& text) {
  auto lines = std::istringstream{text};
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second =
      first == line.npos ? line.npos : line.find(':', first + 1);
    if (second != line.npos
        && line.substr(first + 1, second - first - 1) == "memory")
      return line.substr(second + 1);
  }
  return {};
}

/// The least room from `leaf` up to `top`.
uint64_t room_above(const std::string& top, std::string leaf, const char* limit,
                    const char* usage) {
  auto result = unlimited;
  for (;;) {
    const auto place = top + leaf + "/";
    result = std::min(result, room_in(proc_text(place + limit),
                                      proc_text(place + usage),
                                      proc_text(place + "memory.stat")));
    if (leaf.empty())
      return result;
    leaf.resize(leaf.rfind('/') == leaf.npos ? 0 : leaf.rfind('/'));
  }
}

} // namespace

memory_use use_in(std::string_view smaps_rollup) {
  uint64_t all = 0;
  if (!find_number(smaps_rollup, "Pss:", all))
    return {};
  uint64_t files = 0;
  find_number(smaps_rollup, "Pss_File:", files);
  return {all << 10, (all - std::min(files, all)) << 10};
}

uint64_t room_in(std::string_view limit, std::string_view usage,
                 std::string_view statistics) {
  uint64_t most_bytes = 0;
  uint64_t used = 0;
  if (!find_number(limit, "", most_bytes) || most_bytes >= no_limit
      || !find_number(usage, "", used))
    return unlimited;
  uint64_t cache = 0;
  if (!find_number(statistics, "total_inactive_file ", cache))
    find_number(statistics, "inactive_file ", cache);
  used -= std::min(cache, used);
  return most_bytes - std::min(used, most_bytes);
}

uint64_t own_cgroup_room() {
  const auto own = proc_text("/proc/self/cgroup");
  auto result = unlimited;
  const auto mount = cgroup_mount(
    read_small_file("/proc/self/mountinfo", 1u << 20).value_or(""));
  if (const auto leaf = cgroup_of(own); !mount.empty() && !leaf.empty())
    result = room_above(mount, leaf == "/" ? "" : leaf, "memory.max",
                        "memory.current");
  if (const auto leaf = old_cgroup_of(own); !leaf.empty())
    result = std::min(
      result, room_above("/sys/fs/cgroup/memory", leaf == "/" ? "" : leaf,
                         "memory.limit_in_bytes", "memory.usage_in_bytes"));
  return result;
}

memory_look::memory_look(memory_sources sources)
  : sources_{std::move(sources)} {}

memory_sample memory_look::take(const memory_targets& targets,
                                std::chrono::steady_clock::time_point now) {
  std::erase_if(seen_, [&](const auto& item) {
    const auto found = targets.find(item.first);
    return found == targets.end() || found->second != item.second.pid;
  });
  std::vector<std::pair<std::chrono::steady_clock::time_point, sandbox_id>> due;
  for (const auto& [id, pid] : targets) {
    const auto known = seen_.find(id);
    if (known == seen_.end())
      due.emplace_back(std::chrono::steady_clock::time_point::min(), id);
    else if (now - known->second.at >= look_interval)
      due.emplace_back(known->second.at, id);
  }
  std::ranges::sort(due);
  if (due.size() > looks_max)
    due.resize(looks_max);
  for (const auto& [at, id] : due) {
    if (sources_.gate && !sources_.gate->wait_until_clear(now))
      break;
    const auto pid = targets.at(id);
    seen_[id] = {pid,
                 use_in(proc_text(sources_.processes + "/" + std::to_string(pid)
                                  + "/smaps_rollup")),
                 now};
  }
  auto result = memory_sample{.is_known = true};
  result.available_bytes =
    std::min(sources_.available ? sources_.available() : 0,
             sources_.cgroup_room ? sources_.cgroup_room() : unlimited);
  for (const auto& [id, x] : seen_)
    result.vms[id] = x.use;
  return result;
}

} // namespace forkfleet
