// SPDX-License-Identifier: Apache-2.0
#include "actors/bounded_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/utf8.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t bytes_min = 64;
constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

std::string shown(const utf8_character& x, std::string_view bytes) {
  if (!x.is_valid)
    return std::string{replacement};
  if (!is_control(x.code))
    return std::string{bytes};
  if (x.code == U'\n')
    return "\\n";
  if (x.code == U'\t')
    return "\\t";
  return x.code < 0x100
           ? fmt::format("\\x{:02x}", static_cast<unsigned>(x.code))
           : fmt::format("\\u{:04x}", static_cast<unsigned>(x.code));
}

/// All of `foreign`, made harmless.
std::string shown(std::string_view foreign) {
  auto result = std::string{};
  while (!foreign.empty()) {
    const auto next = decode_utf8(foreign);
    result += shown(next, foreign.substr(0, next.length));
    foreign.remove_prefix(next.length);
  }
  return result;
}

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

/// Whole characters from its start.
std::string_view head_of(std::string_view text, std::size_t bytes_max) {
  auto end = std::min(bytes_max, text.size());
  while (end > 0 && end < text.size() && continues_character(text[end]))
    --end;
  return text.substr(0, end);
}

/// Whole characters from its end.
std::string_view tail_of(std::string_view text, std::size_t bytes_max) {
  auto begin = text.size() - std::min(bytes_max, text.size());
  while (begin < text.size() && continues_character(text[begin]))
    ++begin;
  return text.substr(begin);
}

} // namespace

std::string bounded_text(std::string_view foreign, std::size_t bytes_max) {
  const auto room = std::max(bytes_max, bytes_min);
  if (foreign.size() <= room)
    if (auto whole = shown(foreign); whole.size() <= room)
      return whole;
  // Every byte shows as at least one, but an invalid one: what is looked at
  // is enough for both ends.
  const auto middle = fmt::format(" ... ({} bytes) ... ", foreign.size());
  const auto left = room - middle.size();
  const auto head = shown(foreign.substr(0, room));
  const auto tail =
    shown(foreign.substr(foreign.size() - std::min(room, foreign.size())));
  return std::string{head_of(head, left - left / 3)} + middle
         + std::string{tail_of(tail, left / 3)};
}

} // namespace forkfleet
