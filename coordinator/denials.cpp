// SPDX-License-Identifier: Apache-2.0
#include "coordinator/denials.hpp"

#include <sys/stat.h>
#include <utility>

#include "actors/log.hpp"
#include "config/load.hpp"

namespace forkfleet {

denial_watch::denial_watch(std::string path, std::vector<std::string> entries)
  : path_(std::move(path)), entries_(std::move(entries)),
    seen_(stamp_of_file()) {
  // nop
}

bool denial_watch::look(bool is_asked) {
  const auto now = stamp_of_file();
  if (now == seen_ && !is_asked)
    return false;
  seen_ = now;
  const auto loaded = config::load(path_);
  if (!loaded.fleet) {
    for (const auto& problem : loaded.problems)
      log::error("fleet_file.refused",
                 {{"reason", config::to_string(problem)}});
    return false;
  }
  if (loaded.fleet->access.denied == entries_)
    return false;
  entries_ = loaded.fleet->access.denied;
  log::info("access.changed", {{"denied", entries_.size()}});
  return true;
}

denial_watch::stamp denial_watch::stamp_of_file() const {
  struct stat about = {};
  if (::stat(path_.c_str(), &about) != 0)
    return {};
  return {.device = about.st_dev,
          .inode = about.st_ino,
          .size = about.st_size,
          .changed_ns =
            about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec};
}

} // namespace forkfleet
