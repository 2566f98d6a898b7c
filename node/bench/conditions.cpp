// SPDX-License-Identifier: Apache-2.0
#include "node/bench/conditions.hpp"

#include <array>
#include <ctime>
#include <fstream>
#include <sys/utsname.h>
#include <thread>

#include <fmt/format.h>

#include "node/bench/host_load.hpp"

namespace forkfleet::bench {

namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string line_of(const std::string& name, const std::string& value) {
  return "- " + name + ": " + value + "\n";
}

} // namespace

std::string utc_now() {
  const auto now =
    std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const auto length =
    strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text.data(), length};
}

conditions observe(std::string command) {
  utsname names{};
  uname(&names);
  return {.version = FORKFLEET_VERSION,
          .command = std::move(command),
          .started_at = utc_now(),
          .kernel = std::string{names.sysname} + " " + names.release,
          .processor = processor_name(),
          .processors = std::thread::hardware_concurrency(),
          .memory_bytes = meminfo_bytes("MemTotal"),
          .load_before = load_average()};
}

std::string markdown(const conditions& x) {
  auto text = line_of("command", "`" + x.command + "`");
  text += line_of("forkfleet", x.version);
  text +=
    line_of("from, to", x.started_at + ", "
                          + (x.ended_at.empty() ? "not ended" : x.ended_at));
  text += line_of("host",
                  fmt::format("{}, {} processors ({}), {:.1f} GiB", x.kernel,
                              x.processors, x.processor,
                              static_cast<double>(x.memory_bytes) / (1 << 30)));
  text += line_of("load average",
                  x.load_before + " before, "
                    + (x.load_after.empty() ? "?" : x.load_after) + " after");
  for (const auto& setting : x.settings)
    text += "- " + setting + "\n";
  if (!x.complete)
    text += "- **interrupted**: these are the results so far\n";
  for (const auto& remark : x.remarks)
    text += "- note: " + remark + "\n";
  return text;
}

} // namespace forkfleet::bench
