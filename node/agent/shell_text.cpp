// SPDX-License-Identifier: Apache-2.0
#include "node/agent/shell_text.hpp"

#include <algorithm>

namespace forkfleet {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_part(char c) {
  return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z')
         || (c >= 'A' && c <= 'Z');
}

} // namespace

std::string shell_word(std::string_view text) {
  auto result = std::string{"'"};
  for (const char c : text)
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  return result + "'";
}

bool is_assignment(std::string_view text) {
  const auto sign = text.find('=');
  if (sign == 0 || sign == std::string_view::npos || is_digit(text.front()))
    return false;
  return std::ranges::all_of(text.substr(0, sign), is_name_part);
}

bool has_zero(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

} // namespace forkfleet
