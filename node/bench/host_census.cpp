// SPDX-License-Identifier: Apache-2.0
#include "node/bench/host_census.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

#include "node/bench/memory_use.hpp"

namespace forkfleet::bench {

namespace {

namespace fs = std::filesystem;

template <class Iterator>
uint64_t count_entries(const std::string& directory) {
  std::error_code problem;
  uint64_t count = 0;
  for (Iterator at{directory, problem}; !problem && at != Iterator{};
       at.increment(problem))
    ++count;
  return count;
}

/// State and parent of a process: "12 (a name) Z 1 ...".
bool is_dead_child(const fs::path& process) {
  std::ifstream file{process / "stat"};
  const std::string line{std::istreambuf_iterator<char>{file}, {}};
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos || line.size() < name_end + 5)
    return false;
  return line[name_end + 2] == 'Z'
         && std::atoi(line.c_str() + name_end + 4) == getpid();
}

bool works_in(const fs::path& process, const std::string& directory) {
  std::error_code problem;
  const auto where = fs::read_symlink(process / "cwd", problem).string();
  return !problem && where.starts_with(directory);
}

} // namespace

host_reading take_census(const std::string& directory, uint64_t cycles) {
  host_reading now{.cycles = cycles};
  std::set<std::string> namespaces;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator{"/proc", problem}) {
    const auto name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; }))
      continue;
    std::error_code gone;
    const auto space = fs::read_symlink(entry.path() / "ns/net", gone);
    if (!gone)
      namespaces.insert(space.string());
    if (name != std::to_string(getpid())
        && (works_in(entry.path(), directory) || is_dead_child(entry.path())))
      ++now.processes;
  }
  now.namespaces =
    namespaces.size() + count_entries<fs::directory_iterator>("/run/netns");
  now.descriptors = count_entries<fs::directory_iterator>("/proc/self/fd");
  now.entries = count_entries<fs::recursive_directory_iterator>(directory);
  const auto use = read_memory_use(0);
  now.memory_bytes = use ? use->own : 0;
  return now;
}

} // namespace forkfleet::bench
