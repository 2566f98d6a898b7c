// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/nearest.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace forkfleet::schema {

namespace {

/// The most known words that a suggestion lists.
constexpr std::size_t listed_max = 16;

char folded(char c) {
  if (c >= 'A' && c <= 'Z')
    return static_cast<char>(c - 'A' + 'a');
  return c == '_' ? '-' : c;
}

std::string prepared(std::string_view word) {
  std::string result{word.substr(0, nearest_length_max)};
  std::transform(result.begin(), result.end(), result.begin(), folded);
  return result;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}

} // namespace

std::size_t edit_distance(std::string_view first, std::string_view second) {
  const auto a = prepared(first);
  const auto b = prepared(second);
  using row = std::array<std::size_t, nearest_length_max + 1>;
  // Three rows suffice: a swap looks two rows back.
  row before{};
  row above{};
  row here{};
  for (std::size_t j = 0; j <= b.size(); ++j)
    above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    here[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
      here[j] = std::min({replaced, above[j] + 1, here[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here[j] = std::min(here[j], before[j - 2] + 1);
    }
    before = above;
    above = here;
  }
  return above[b.size()];
}

std::optional<std::string_view>
nearest(std::string_view word, const std::vector<std::string_view>& known) {
  const auto limit = std::clamp<std::size_t>(word.size() / 3, 1, 4);
  std::optional<std::string_view> best;
  auto best_distance = limit + 1;
  for (const auto candidate : known) {
    const auto distance = edit_distance(word, candidate);
    // A word of one letter is near to every other one.
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view word,
                       const std::vector<std::string_view>& known) {
  if (const auto best = nearest(word, known))
    return fmt::format("did you mean '{}'?", *best);
  if (known.empty())
    return {};
  const std::vector<std::string_view> listed(
    known.begin(),
    known.begin()
      + static_cast<std::ptrdiff_t>(std::min(known.size(), listed_max)));
  return fmt::format("known: {}{}", fmt::join(listed, ", "),
                     listed.size() < known.size() ? ", ..." : "");
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown_max = 64;
  auto end = std::min(text.size(), shown_max);
  while (end > 0 && end < text.size() && is_continuation(text[end]))
    --end;
  std::string shown{text.substr(0, end)};
  for (auto& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      c = '?';
  return "'" + shown + (end < text.size() ? "..." : "") + "'";
}

} // namespace forkfleet::schema
