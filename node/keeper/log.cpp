// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/log.hpp"

#include <chrono>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace forkfleet::keeper {

void log_line(std::string_view event, std::string_view detail) {
  const auto now = std::chrono::system_clock::now();
  const auto line = fmt::format(
    "{:%Y-%m-%dT%H:%M:%SZ} {} {}\n",
    fmt::gmtime(std::chrono::system_clock::to_time_t(now)), event, detail);
  // A log that cannot be written is no reason to leave a guest alone.
  [[maybe_unused]] const auto written =
    ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace forkfleet::keeper
