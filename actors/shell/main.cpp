// SPDX-License-Identifier: Apache-2.0
// The program `forkfleet`.
#include <clocale>
#include <iostream>
#include <unistd.h>

#include "actors/descriptors.hpp"
#include "actors/shell/standing_io.hpp"
#include "actors/shell/verb.hpp"

int main(int argc, char** argv) {
  using namespace forkfleet;
  raise_descriptor_limit();
  // For the widths of characters alone; numbers stay as they are.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr)
    std::setlocale(LC_CTYPE, "");
  // Never destroyed: the streams use them until the very end.
  std::cout.rdbuf(new shell::standing_buffer{STDOUT_FILENO});
  std::cerr.rdbuf(new shell::standing_buffer{STDERR_FILENO});
  if (isatty(STDOUT_FILENO) == 1)
    std::cout << std::unitbuf;
  shell::session io{.out = std::cout,
                    .err = std::cerr,
                    .screen = shell::detect_terminal(
                      STDOUT_FILENO, config::process_environment),
                    .messages = shell::detect_terminal(
                      STDERR_FILENO, config::process_environment),
                    .env = config::process_environment};
  return static_cast<int>(shell::run_tool(io, {argv + 1, argv + argc}));
}
