// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_print.hpp"

#include <set>

#include "actors/shell/branch_text.hpp"

namespace forkfleet::shell {
namespace {

void print_as_json(session& io, const branch_results& x, bool is_single) {
  if (is_single) {
    print_json(io, output_format::json, schema::to_json(x.reports.front()));
    return;
  }
  auto all = schema::json::array();
  for (const auto& report : x.reports)
    all.push_back(schema::to_json(report));
  if (x.refused)
    all.push_back(error_json(*x.refused));
  print_json(io, output_format::json, all);
}

/// Each warning once; ten branches tend to warn of one thing.
void print_warnings(session& io, const std::vector<branch_report>& reports) {
  std::set<std::string> told;
  const auto tell_once = [&](const std::string& text, tone mood) {
    if (told.insert(text).second)
      io.out << paint(printable(text), mood, io.screen) << '\n';
  };
  for (const auto& report : reports) {
    if (report.outcome)
      tell_once(to_string(report.outcome), tone::bad);
    for (const auto& warning : report.warnings)
      tell_once("warning: " + warning, tone::warn);
  }
}

void print_summary(session& io, const std::vector<microseconds>& pauses) {
  if (pauses.size() > 1)
    io.out << "last " << pauses.size()
           << " branches: " << pause_summary(pauses, io.screen.utf8) << '\n';
}

void print_table(session& io, const std::vector<branch_report>& reports) {
  io.out << report_table(reports, io.screen.utf8).render(io.screen);
  print_warnings(io, reports);
  std::vector<microseconds> pauses;
  for (const auto& x : reports)
    if (!x.outcome)
      pauses.push_back(x.pause);
  print_summary(io, pauses);
}

} // namespace

void print_branches(session& io, output_format format, const branch_results& x,
                    bool is_single) {
  if (x.reports.empty())
    return;
  switch (format) {
    case output_format::jsonl:
      return;
    case output_format::json:
      print_as_json(io, x, is_single);
      return;
    case output_format::name:
      for (const auto& report : x.reports)
        if (!report.outcome)
          io.out << report.tag.value << '\n';
      return;
    case output_format::table:
    case output_format::wide:
      break;
  }
  if (!is_single) {
    print_table(io, x.reports);
    return;
  }
  io.out << report_text(x.reports.front(), io.screen);
  print_summary(io, x.earlier_pauses);
}

} // namespace forkfleet::shell
