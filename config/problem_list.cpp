// SPDX-License-Identifier: Apache-2.0
#include "config/problem_list.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "config/source_text.hpp"

namespace forkfleet::config {

namespace {

/// Longer lines are not shown: they hide the message instead of helping.
constexpr std::size_t shown_line_max = 200;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}

/// Line `number` of `text`, without its end.
std::string_view line_of(std::string_view text, std::size_t number) {
  for (std::size_t i = 1; i < number; ++i) {
    const auto end = text.find('\n');
    if (end == text.npos)
      return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r'))
    text.remove_suffix(1);
  return text;
}

/// `line` as it may be shown on a terminal.
std::string shown(std::string_view line) {
  std::string result{line};
  for (auto& c : result)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F)
      c = '?';
  while (const auto bad = find_bad_utf8(result))
    result[*bad] = '?';
  return result;
}

/// What to put before a caret so that it stands under the character at
/// `column`: tabs stay tabs.
std::string padding(std::string_view line, std::size_t column) {
  std::string result;
  for (const char c : line) {
    if (is_continuation(c))
      continue;
    if (--column == 0)
      return result;
    result += c == '\t' ? '\t' : ' ';
  }
  return result + std::string(column - 1, ' ');
}

} // namespace

std::string to_string(const problem& x, std::string_view source) {
  auto result = fmt::format("{}:{}:{}: ", x.file, x.line, x.column);
  if (!x.path.empty())
    result += x.path + ": ";
  result += to_string(schema::fault{x.message, x.hint});
  const auto line = line_of(source, x.line);
  // A column past the end, such as that of a missing brace, has one place.
  if (line.empty() || line.size() > shown_line_max
      || x.column > line.size() + 1)
    return result;
  return fmt::format("{}\n{:>5} | {}\n      | {}^", result, x.line, shown(line),
                     padding(line, x.column));
}

place place_of(std::string_view text, std::size_t offset) {
  place result;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n')
      result = {result.line + 1, 1};
    else if (!is_continuation(c))
      ++result.column;
  }
  return result;
}

place find_place(const place_map& places, std::string_view path) {
  while (true) {
    if (const auto found = places.find(path); found != places.end())
      return found->second;
    if (path.empty())
      return {};
    const auto cut = path.find_last_of(".[");
    path = path.substr(0, cut == path.npos ? 0 : cut);
  }
}

void problem_list::add(const std::string& path, place where,
                       const schema::fault& what) {
  if (!what)
    return;
  paths_.insert(path);
  problems_.push_back(
    {file_, where.line, where.column, path, what.message, what.hint});
}

bool problem_list::has(std::string_view path) const {
  return paths_.find(path) != paths_.end();
}

std::vector<problem> problem_list::sorted() && {
  std::stable_sort(
    problems_.begin(), problems_.end(), [](const problem& a, const problem& b) {
      return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
  if (problems_.size() > problems_max)
    problems_.resize(problems_max);
  return std::move(problems_);
}

} // namespace forkfleet::config
