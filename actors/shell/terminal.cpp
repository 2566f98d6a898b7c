// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/terminal.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "actors/utf8.hpp"

namespace forkfleet::shell {
namespace {

constexpr std::size_t width_min = 20;
constexpr std::size_t width_max = 1000;

std::size_t columns_of(char32_t code) {
  // -1 is a character that the locale does not know; it still takes room.
  const int columns = wcwidth(static_cast<wchar_t>(code));
  return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

/// False only where the environment names a charset that is not UTF-8.
bool speaks_utf8(const config::environment& env) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    auto value = env(name).value_or("");
    if (value.empty())
      continue;
    const auto dot = value.find('.');
    if (dot == std::string::npos)
      return true;
    std::string charset;
    for (const char c : value.substr(dot + 1))
      if (c != '-')
        charset += static_cast<char>(std::tolower(c));
    return charset.starts_with("utf8");
  }
  return true;
}

std::size_t window_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return terminal{}.width;
  return std::clamp<std::size_t>(size.ws_col, width_min, width_max);
}

std::string_view escape_of(tone mood) {
  switch (mood) {
    case tone::plain:
      return "";
    case tone::good:
      return "\x1b[32m";
    case tone::warn:
      return "\x1b[33m";
    case tone::bad:
      return "\x1b[31m";
    case tone::faint:
      return "\x1b[2m";
    case tone::strong:
      return "\x1b[1m";
  }
  return "";
}

} // namespace

terminal detect_terminal(int fd, const config::environment& env) {
  terminal result;
  const bool dumb = env("TERM").value_or("") == "dumb";
  result.is_tty = isatty(fd) == 1 && !dumb;
  result.color = result.is_tty && env("NO_COLOR").value_or("").empty();
  result.utf8 = !dumb && speaks_utf8(env);
  if (result.is_tty)
    result.width = window_width(fd);
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto next = decode_utf8(text);
    columns += next.is_valid ? columns_of(next.code) : 1;
    text.remove_prefix(next.length);
  }
  return columns;
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto next = decode_utf8(text);
    if (next.is_valid && !is_control(next.code))
      result += text.substr(0, next.length);
    else
      result += '?';
    text.remove_prefix(next.length);
  }
  return result;
}

std::string clip(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const auto next = decode_utf8(text.substr(bytes));
    used += next.is_valid ? columns_of(next.code) : 1;
    if (used > columns)
      break;
    bytes += next.length;
  }
  return std::string{text.substr(0, bytes)};
}

std::string paint(std::string_view text, tone mood, const terminal& where) {
  if (!where.color || mood == tone::plain || text.empty())
    return std::string{text};
  return std::string{escape_of(mood)} + std::string{text} + "\x1b[0m";
}

} // namespace forkfleet::shell
