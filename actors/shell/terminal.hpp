// SPDX-License-Identifier: Apache-2.0
// What the place that we write to can show, and text that is safe to show
// there: names and notes come from other hosts and may hold anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace forkfleet::shell {

/// What one of our output files can show.
struct terminal {
  bool is_tty = false;
  bool color = false;
  bool utf8 = true;
  std::size_t width = 80;
};

/// Asks about the open file `fd`. NO_COLOR and TERM=dumb turn colour off;
/// a locale with another charset, or TERM=dumb, turns UTF-8 off.
terminal detect_terminal(int fd, const config::environment& env);

/// How many columns `text` takes. Its characters must be printable.
std::size_t display_width(std::string_view text);

/// `text` without control characters and broken UTF-8, each replaced by '?',
/// so that it cannot steer the terminal. Line feeds count as control
/// characters.
std::string printable(std::string_view text);

/// The longest start of `text` that takes at most `columns`.
std::string clip(std::string_view text, std::size_t columns);

/// The mood of a piece of text, shown as a colour where there are colours.
enum class tone : unsigned char { plain, good, warn, bad, faint, strong };

/// `text` in the colour of `mood`, or as it is where there are no colours.
std::string paint(std::string_view text, tone mood, const terminal& where);

} // namespace forkfleet::shell
