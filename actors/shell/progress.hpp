// SPDX-License-Identifier: Apache-2.0
// One line at the bottom of the terminal that tells what is going on.
#pragma once

#include <string>
#include <string_view>

#include "actors/shell/terminal.hpp"

namespace forkfleet::shell {

/// Writes to the file `fd`, and only where that is a terminal. The line is
/// gone after `clear` and when this ends. Owns nothing of `fd`.
class progress_line {
public:
  progress_line(int fd, terminal where) : fd_{fd}, where_{where} {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  /// Replaces the line and moves the spinner on.
  void show(std::string_view text);

  /// Removes the line, so that other output can come.
  void clear();

private:
  void write(std::string_view text) const;

  int fd_;
  terminal where_;
  std::size_t turns_ = 0;
  bool shown_ = false;
};

} // namespace forkfleet::shell
