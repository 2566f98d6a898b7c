// SPDX-License-Identifier: Apache-2.0
// Keeps the programs' log lines away from the terminal.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "actors/unique_fd.hpp"

namespace forkfleet::test {

/// Sends stderr nowhere while it lives.
class quiet {
public:
  quiet() : kept_(dup(STDERR_FILENO)) {
    const auto nowhere = unique_fd{open("/dev/null", O_WRONLY | O_CLOEXEC)};
    dup2(nowhere.get(), STDERR_FILENO);
  }
  ~quiet() { dup2(kept_.get(), STDERR_FILENO); }
  quiet(const quiet&) = delete;
  quiet& operator=(const quiet&) = delete;

private:
  unique_fd kept_;
};

} // namespace forkfleet::test
