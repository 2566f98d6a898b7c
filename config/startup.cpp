// SPDX-License-Identifier: Apache-2.0
#include "config/startup.hpp"

#include <cstdio>

#include "config/load.hpp"

namespace forkfleet::config {

std::optional<fleet_file> load_or_print(const std::string& path) {
  auto loaded = load(path);
  for (const auto& problem : loaded.problems)
    std::fprintf(stderr, "%s\n", to_string(problem).c_str());
  return std::move(loaded.fleet);
}

} // namespace forkfleet::config
