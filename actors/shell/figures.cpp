// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/figures.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

#include <fmt/format.h>

namespace forkfleet::shell {
namespace {

/// `x` with three significant digits.
std::string three_digits(double x) {
  if (x < 9.995)
    return fmt::format("{:.2f}", x);
  return x < 99.95 ? fmt::format("{:.1f}", x) : fmt::format("{:.0f}", x);
}

std::string long_duration_text(uint64_t seconds) {
  const auto minutes = seconds / 60;
  const auto hours = minutes / 60;
  if (hours == 0)
    return fmt::format("{}m {:02}s", minutes, seconds % 60);
  if (hours < 48)
    return fmt::format("{}h {:02}m", hours, minutes % 60);
  return fmt::format("{}d {}h", hours / 24, hours % 24);
}

} // namespace

std::string duration_text(microseconds x, bool utf8) {
  const auto us = static_cast<uint64_t>(std::max<int64_t>(x.count(), 0));
  const auto value = static_cast<double>(us);
  if (us < 1000)
    return fmt::format("{} {}", us, utf8 ? "µs" : "us");
  if (value < 999'500.0)
    return three_digits(value / 1e3) + " ms";
  if (value < 59'950'000.0)
    return three_digits(value / 1e6) + " s";
  return long_duration_text((us + 500'000) / 1'000'000);
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB",
                                                  "TiB"};
  if (bytes < 10'000)
    return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < units.size()) {
    value /= 1024.0;
    ++unit;
  }
  const auto whole = static_cast<uint64_t>(value);
  if (static_cast<double>(whole) == value)
    return fmt::format("{} {}", whole, units[unit]);
  return fmt::format("{} {}", three_digits(value), units[unit]);
}

std::string time_text(microseconds unix_time) {
  if (unix_time.count() <= 0)
    return "";
  const std::time_t seconds = unix_time.count() / 1'000'000;
  const auto millis = unix_time.count() / 1000 % 1000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr)
    return "";
  std::array<char, 32> text{};
  const auto length =
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", std::string_view{text.data(), length},
                     millis);
}

std::string age_text(microseconds unix_time, microseconds unix_now) {
  if (unix_time.count() <= 0)
    return "";
  const auto age = std::max(unix_now - unix_time, microseconds{0});
  if (age < std::chrono::seconds{60})
    return fmt::format("{}s", age.count() / 1'000'000);
  return duration_text(age);
}

microseconds percentile(std::vector<microseconds> series, unsigned percent) {
  if (series.empty())
    return microseconds{0};
  const auto rank = (series.size() * std::min(percent, 100u) + 99) / 100;
  const auto at =
    series.begin()
    + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(series.begin(), at, series.end());
  return *at;
}

std::string sparkline(const std::vector<microseconds>& series, bool utf8,
                      std::size_t most) {
  constexpr std::array<std::string_view, 8> blocks{"▁", "▂", "▃", "▄",
                                                   "▅", "▆", "▇", "█"};
  constexpr std::array<std::string_view, 8> ascii{".", ":", "-", "=",
                                                  "+", "*", "%", "@"};
  const auto& levels = utf8 ? blocks : ascii;
  const auto skipped = series.size() > most ? series.size() - most : 0;
  const auto begin = series.begin() + static_cast<std::ptrdiff_t>(skipped);
  if (begin == series.end())
    return "";
  const auto top =
    std::max<int64_t>(std::max_element(begin, series.end())->count(), 1);
  std::string result;
  for (auto at = begin; at != series.end(); ++at) {
    const auto value = std::max<int64_t>(at->count(), 0);
    const auto share = static_cast<double>(value) / static_cast<double>(top);
    const auto level = static_cast<std::size_t>(share * 7.0 + 0.5);
    result += levels[std::min<std::size_t>(level, 7)];
  }
  return result;
}

} // namespace forkfleet::shell
