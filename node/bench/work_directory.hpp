// SPDX-License-Identifier: Apache-2.0
// A directory of a benchmark's own for VMs and snapshots. Knows no CAF.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace forkfleet::bench {

/// Made in `parent`, gone with its owner.
class work_directory {
public:
  explicit work_directory(const std::string& parent)
    : path_(parent + "/forkfleet-bench-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr)
      path_.clear();
  }
  ~work_directory() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove_all(path_, ignored);
  }
  work_directory(const work_directory&) = delete;
  work_directory& operator=(const work_directory&) = delete;

  /// Empty when it could not be made; errno says why.
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

} // namespace forkfleet::bench
