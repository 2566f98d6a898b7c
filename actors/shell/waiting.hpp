// SPDX-License-Identifier: Apache-2.0
// Waits for an answer that takes long, with a line on the terminal that
// moves meanwhile.
#pragma once

#include <future>
#include <string>
#include <unistd.h>

#include "actors/shell/clock.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/progress.hpp"
#include "actors/shell/session.hpp"

namespace forkfleet::shell {

/// What `ask` returns. Where people watch, a line says `what` is awaited, and
/// for how long already.
template <class Ask>
auto wait_with_line(session& io, const std::string& what, Ask ask) {
  constexpr std::chrono::milliseconds interval{100};
  if (!io.messages.is_tty)
    return ask();
  progress_line line{STDERR_FILENO, io.messages};
  const auto begun = now();
  auto answer = std::async(std::launch::async, ask);
  while (answer.wait_for(interval) != std::future_status::ready) {
    const auto passed = std::chrono::duration_cast<microseconds>(now() - begun);
    line.show(what + "  " + duration_text(passed, io.messages.utf8));
  }
  return answer.get();
}

} // namespace forkfleet::shell
