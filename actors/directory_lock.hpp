// SPDX-License-Identifier: Apache-2.0
// Keeps two processes from sharing one data directory. Knows no CAF.
#pragma once

#include <string>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

/// Holds `<directory>/lock` with flock(2) for as long as it lives. The
/// kernel lets go of it when the process ends, however it ends; children
/// that exec do not inherit it.
class directory_lock {
public:
  /// Takes the lock at once or not at all: not_permitted names the process
  /// that has it. The directory must exist.
  static expected<directory_lock> take(const std::string& directory);

private:
  explicit directory_lock(unique_fd fd) : fd_(std::move(fd)) {}

  unique_fd fd_;
};

} // namespace forkfleet
