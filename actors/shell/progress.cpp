// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/progress.hpp"

#include <array>
#include <unistd.h>

namespace forkfleet::shell {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

std::string_view spinner(std::size_t turn, bool utf8) {
  constexpr std::array<std::string_view, 10> dots{"⠋", "⠙", "⠹", "⠸", "⠼",
                                                  "⠴", "⠦", "⠧", "⠇", "⠏"};
  constexpr std::array<std::string_view, 4> ascii{"|", "/", "-", "\\"};
  return utf8 ? dots[turn % dots.size()] : ascii[turn % ascii.size()];
}

} // namespace

void progress_line::show(std::string_view text) {
  if (!where_.is_tty)
    return;
  auto line = std::string{spinner(turns_++, where_.utf8)} + " ";
  line += printable(text);
  write(std::string{erase_line} + clip(line, where_.width - 1));
  shown_ = true;
}

void progress_line::clear() {
  if (!shown_)
    return;
  write(erase_line);
  shown_ = false;
}

void progress_line::write(std::string_view text) const {
  // A terminal that went away costs the progress line and nothing else.
  while (!text.empty()) {
    const auto n = ::write(fd_, text.data(), text.size());
    if (n <= 0)
      return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

} // namespace forkfleet::shell
