// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fsck_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/shell/advice.hpp"
#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

uint64_t count_in(const fsck_report& x, ledger_state state) {
  uint64_t sum = 0;
  for (const auto& count : x.counts)
    sum += count.state == state ? count.count : 0;
  return sum;
}

cell state_cell(ledger_state x) {
  const auto mood = is_finding(x)              ? tone::bad
                    : x == ledger_state::owned ? tone::good
                                               : tone::faint;
  return {std::string{schema::name_of(x)}, mood};
}

std::string host_line(const fsck_report& x, const terminal& where) {
  const auto name = x.host.empty() ? "this host" : printable(x.host.value);
  if (x.outcome)
    return paint(name + ": " + printable(to_string(x.outcome)), tone::bad,
                 where)
           + "\n  " + std::string{advice(x.outcome.code)} + "\n";
  using enum ledger_state;
  auto text = fmt::format(
    "{}: {} owned, {} young, {} orphans, {} damaged, {} foreign; {} removed, "
    "looked in {}",
    name, count_in(x, owned), count_in(x, young), count_in(x, orphan),
    count_in(x, damaged), count_in(x, foreign), x.repaired,
    duration_text(x.elapsed, where.utf8));
  if (x.items_left_out > 0)
    text += fmt::format("; {} more are not shown", x.items_left_out);
  return text + "\n";
}

bool has_findings(const fsck_report& x) {
  return std::ranges::any_of(
    x.counts, [](const ledger_count& one) { return is_finding(one.state); });
}

} // namespace

std::string fsck_text(const std::vector<fsck_report>& reports,
                      const terminal& where) {
  table all{{{"NODE"},
             {"KIND"},
             {"STATE"},
             {"SIZE", align::right},
             {"OWNER"},
             {"WHERE"},
             {"WHY"},
             {"REPAIR"}}};
  for (const auto& x : reports)
    for (const auto& item : x.items)
      all.add({x.host.value, std::string{schema::name_of(item.kind)},
               state_cell(item.state), size_text(item.bytes), item.owner,
               item.where, item.reason, item.repair});
  auto text = all.empty() ? std::string{} : all.render(where);
  for (const auto& x : reports)
    text += host_line(x, where);
  return text;
}

exit_code fsck_exit_code(const std::vector<fsck_report>& reports) {
  if (std::ranges::any_of(reports, has_findings))
    return exit_code::findings;
  const bool is_whole = std::ranges::none_of(
    reports, [](const fsck_report& x) { return bool{x.outcome}; });
  return is_whole ? exit_code::done : exit_code::failed;
}

} // namespace forkfleet::shell
