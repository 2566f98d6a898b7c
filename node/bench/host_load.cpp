// SPDX-License-Identifier: Apache-2.0
#include "node/bench/host_load.hpp"

#include <fstream>

namespace forkfleet::bench {

uint64_t meminfo_bytes(const std::string& item) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  for (std::string rest; file >> name >> kib; std::getline(file, rest))
    if (name == item + ":")
      return kib << 10;
  return 0;
}

std::string load_average() {
  std::ifstream file("/proc/loadavg");
  std::string first;
  file >> first;
  return first;
}

} // namespace forkfleet::bench
