// SPDX-License-Identifier: Apache-2.0
// Somebody who serves a Unix socket, for tests of who that is.
#pragma once

#include <string>
#include <sys/types.h>

namespace forkfleet::test {

/// A process of its own that listens at a path until this object's end, takes
/// the place of who listened there, and answers nothing.
class listening_process {
public:
  explicit listening_process(const std::string& path);
  ~listening_process();
  listening_process(const listening_process&) = delete;
  listening_process& operator=(const listening_process&) = delete;

  pid_t pid() const { return pid_; }

private:
  pid_t pid_ = 0;
};

} // namespace forkfleet::test
