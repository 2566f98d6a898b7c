// SPDX-License-Identifier: Apache-2.0
#include "node/limits/cgroup_plan.hpp"

#include <sstream>

#include <fmt/format.h>

namespace forkfleet {

namespace {

/// The period of cpu.max, in microseconds.
constexpr uint64_t cpu_period = 100'000;

/// Blanks and the like in mountinfo are \ooo.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1])
        && is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      result += static_cast<char>(
        (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else
      result += text[i];
  }
  return result;
}

/// FNV-1a.
uint64_t hash_of(std::string_view text) {
  uint64_t result = 0xcbf29ce484222325u;
  for (const char c : text)
    result = (result ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return result;
}

bool is_between(uint64_t x, uint64_t least, uint64_t most) {
  return x == 0 || (x >= least && x <= most);
}

} // namespace

std::vector<cgroup_setting> settings_for(const sandbox_limits& limits,
                                         const std::string& device) {
  std::vector<cgroup_setting> result;
  if (limits.memory_bytes > 0)
    result.push_back(
      {"memory", "memory.max", std::to_string(limits.memory_bytes)});
  if (limits.cpu_percent > 0)
    result.push_back(
      {"cpu", "cpu.max",
       fmt::format("{} {}", limits.cpu_percent * cpu_period / 100,
                   cpu_period)});
  if (limits.pids > 0)
    result.push_back({"pids", "pids.max", std::to_string(limits.pids)});
  if (limits.read_bytes == 0 && limits.write_bytes == 0)
    return result;
  const auto rate = [](uint64_t x) {
    return x == 0 ? std::string{"max"} : std::to_string(x);
  };
  result.push_back({"io", "io.max",
                    device.empty() ? std::string{}
                                   : fmt::format("{} rbps={} wbps={}", device,
                                                 rate(limits.read_bytes),
                                                 rate(limits.write_bytes))});
  return result;
}

std::string cgroup_mount(std::string_view mountinfo) {
  auto lines = std::istringstream{std::string{mountinfo}};
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos
        || !line.substr(dash + 3).starts_with("cgroup2 "))
      continue;
    auto words = std::istringstream{line};
    auto word = std::string{};
    constexpr int place_of_mount = 5;
    for (int i = 0; i < place_of_mount; ++i)
      words >> word;
    return unescape(word);
  }
  return {};
}

std::string cgroup_of(std::string_view text) {
  auto lines = std::istringstream{std::string{text}};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::/"))
      return line.substr(3);
  return {};
}

std::vector<std::string> words_in(std::string_view text) {
  auto in = std::istringstream{std::string{text}};
  std::vector<std::string> result;
  for (std::string word; in >> word;)
    result.push_back(word);
  return result;
}

std::string cgroup_prefix(std::string_view data) {
  return fmt::format("ff-{:016x}.", hash_of(data));
}

sandbox_id sandbox_of_cgroup(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix))
    return {};
  return {std::string{name.substr(prefix.size())}};
}

std::string wrong_limit(const sandbox_limits& limits) {
  if (!is_between(limits.memory_bytes, limited_memory_min, ~uint64_t{0}))
    return fmt::format("memory: must be at least {} bytes, not {}",
                       limited_memory_min, limits.memory_bytes);
  if (!is_between(limits.cpu_percent, limited_cpu_min, limited_cpu_max))
    return fmt::format("cpu_percent: must be {} to {}, not {}", limited_cpu_min,
                       limited_cpu_max, limits.cpu_percent);
  if (!is_between(limits.pids, limited_pids_min, limited_pids_max))
    return fmt::format("pids: must be {} to {}, not {}", limited_pids_min,
                       limited_pids_max, limits.pids);
  for (const auto rate : {limits.read_bytes, limits.write_bytes})
    if (!is_between(rate, limited_rate_min, ~uint64_t{0}))
      return fmt::format("rates must be at least {} bytes a second, not {}",
                         limited_rate_min, rate);
  return {};
}

} // namespace forkfleet
