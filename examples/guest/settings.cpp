// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/settings.hpp"

#include <charconv>

namespace forkfleet::guest {

namespace {

struct number {
  std::string_view name;
  uint64_t settings::*member;
  uint64_t lowest;
  uint64_t highest;
};

constexpr number numbers[] = {
  {"ff.rate_mib", &settings::rate_mib, 0, 4096},
  {"ff.set_mib", &settings::set_mib, 1, 1048576},
  {"ff.tick_us", &settings::tick_us, 100, 1000000},
  {"ff.disk", &settings::disk, 0, 1},
  {"ff.ports", &settings::ports, 0, 1},
  {"ff.direct", &settings::direct, 0, 8},
  {"ff.churn_mib", &settings::churn_mib, 0, 1048576},
};

void refuse(settings& out, std::string_view name, std::string_view value,
            const std::string& wanted) {
  out.problems.push_back(std::string(name) + "=" + std::string(value)
                         + ": expected " + wanted);
}

void set_number(settings& out, const number& which, std::string_view value) {
  uint64_t x = 0;
  const auto* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, x);
  if (error != std::errc{} || stop != end || x < which.lowest
      || x > which.highest)
    return refuse(out, which.name, value,
                  "a number from " + std::to_string(which.lowest) + " to "
                    + std::to_string(which.highest));
  out.*which.member = x;
}

void set_word(settings& out, std::string_view name, std::string_view value) {
  for (const auto& which : numbers)
    if (which.name == name)
      return set_number(out, which, value);
  if (name != "ff.idle")
    return refuse(
      out, name, value,
      "one of ff.rate_mib, ff.set_mib, ff.tick_us, ff.disk, ff.ports, "
      "ff.direct, ff.churn_mib, ff.idle");
  if (value == "spin")
    out.idle = idle_kind::spin;
  else if (value == "sleep")
    out.idle = idle_kind::sleep;
  else
    refuse(out, name, value, "spin or sleep");
}

} // namespace

settings parse_settings(std::string_view command_line) {
  constexpr std::string_view space = " \t\r\n";
  settings out;
  while (true) {
    const auto begin = command_line.find_first_not_of(space);
    if (begin == std::string_view::npos)
      return out;
    command_line.remove_prefix(begin);
    const auto word = command_line.substr(0, command_line.find_first_of(space));
    command_line.remove_prefix(word.size());
    if (!word.starts_with("ff."))
      continue;
    const auto equals = word.find('=');
    const auto value = equals == std::string_view::npos
                         ? std::string_view{}
                         : word.substr(equals + 1);
    set_word(out, word.substr(0, equals), value);
  }
}

} // namespace forkfleet::guest
