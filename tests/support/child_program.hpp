// SPDX-License-Identifier: Apache-2.0
// A program that a test starts, and that never outlives it.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace forkfleet::test {

/// Runs a program that lies beside the test's own. It is killed with this
/// object, and by the kernel should the test die first.
class child_program {
public:
  child_program(const std::string& name, std::vector<std::string> arguments);
  ~child_program();
  child_program(const child_program&) = delete;
  child_program& operator=(const child_program&) = delete;

  /// The next line of its standard output, without the newline; empty when it
  /// has ended.
  std::string read_line();

  /// SIGKILL, and waits.
  void kill();

  /// Waits for its end; its exit code, or -1 when a signal ended it.
  int wait();

private:
  pid_t pid_ = -1;
  int output_ = -1;
};

} // namespace forkfleet::test
