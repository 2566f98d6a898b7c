// SPDX-License-Identifier: Apache-2.0
#include "node/bench/results_folder.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/durable_file.hpp"

namespace forkfleet::bench {

expected<results_folder> results_folder::open(const std::string& path) {
  const auto is_new = access(path.c_str(), F_OK) != 0;
  if (auto made = make_directories(path); !made)
    return tl::unexpected(made.error());
  if (is_new)
    chmod(path.c_str(), 0755); // results are for everybody
  return results_folder{path};
}

status results_folder::keep(const std::string& name,
                            const std::string& text) const {
  const auto path = path_ + "/" + name;
  const auto fresh = path + ".unfinished";
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << text << std::flush;
    if (!file)
      return tl::unexpected(errno_failure(errno, "write " + fresh));
  }
  // No sync: it would queue behind what is being measured.
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    return tl::unexpected(errno_failure(errno, "rename " + fresh));
  return {};
}

} // namespace forkfleet::bench
