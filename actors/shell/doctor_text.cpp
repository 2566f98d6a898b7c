// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/doctor_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/shell/advice.hpp"
#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

tone tone_of(check_state x) {
  switch (x) {
    case check_state::ok:
      return tone::good;
    case check_state::warn:
      return tone::faint;
    case check_state::bad:
      return tone::bad;
  }
  return tone::bad;
}

std::string check_lines(const host_check& x, const terminal& where) {
  auto state = std::string{schema::name_of(x.state)};
  state.resize(std::max<std::size_t>(state.size(), 4), ' ');
  auto text =
    fmt::format("  {}  {:<11}  {}\n", paint(state, tone_of(x.state), where),
                printable(x.name), printable(x.found));
  if (!x.remedy.empty())
    text += fmt::format("  {:4}  {:<11}  -> {}\n", "", "", printable(x.remedy));
  return text;
}

} // namespace

std::string doctor_text(const std::vector<doctor_report>& reports,
                        const terminal& where) {
  auto text = std::string{};
  for (const auto& x : reports) {
    const auto name = x.host.empty() ? "this machine" : printable(x.host.value);
    if (x.outcome) {
      text +=
        paint(name + ": " + printable(to_string(x.outcome)), tone::bad, where)
        + "\n  " + std::string{advice(x.outcome.code)} + "\n";
      continue;
    }
    text += name + "\n";
    for (const auto& check : x.checks)
      text += check_lines(check, where);
  }
  return text;
}

exit_code doctor_exit_code(const std::vector<doctor_report>& reports) {
  const auto is_bad = [](const doctor_report& x) {
    return std::ranges::any_of(x.checks, [](const host_check& one) {
      return one.state == check_state::bad;
    });
  };
  if (std::ranges::any_of(reports, is_bad))
    return exit_code::findings;
  const bool is_whole = std::ranges::none_of(
    reports, [](const doctor_report& x) { return bool{x.outcome}; });
  return is_whole ? exit_code::done : exit_code::failed;
}

} // namespace forkfleet::shell
