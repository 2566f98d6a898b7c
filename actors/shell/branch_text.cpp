// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_text.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "actors/shell/advice.hpp"
#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

std::string headline(const branch_report& x, const terminal& where) {
  const auto& failed = x.outcome;
  const auto result =
    failed ? paint("failed: " + printable(to_string(failed)), tone::bad, where)
           : paint("sealed as " + printable(x.tag.value), tone::good, where);
  auto how = std::string{schema::name_of(x.mode)};
  if (!x.method.empty())
    how += ", " + printable(x.method);
  return fmt::format("{} on {} {} ({})\n", printable(x.sandbox.value),
                     printable(x.host.value), result, how);
}

std::string stage_text(const branch_report& x, const terminal& where) {
  table stages{
    {{"STAGE"}, {"START", align::right}, {"TIME", align::right}, {"GUEST"}}};
  for (const auto& s : x.stages) {
    const bool stands = s.which == stage::pause || s.which == stage::capture
                        || s.which == stage::resume;
    stages.add({to_string(s.which), duration_text(s.start, where.utf8),
                duration_text(s.elapsed, where.utf8),
                stands ? cell{"stands", tone::warn} : cell{"runs"}});
  }
  return x.stages.empty() ? "" : stages.render(where);
}

std::string reservation_text(const branch_report& x) {
  switch (x.reserve) {
    case reserve_outcome::not_tried:
      return "not reserved";
    case reserve_outcome::reserved:
      return "reserved " + size_text(x.reserved_bytes) + " first";
    case reserve_outcome::unsupported:
      return "could not be reserved there";
    case reserve_outcome::no_space:
    case reserve_outcome::quota:
      return size_text(x.missing_bytes) + " missing";
  }
  return "";
}

std::string sums_text(const branch_report& x, bool utf8) {
  auto text = "pause " + duration_text(x.pause, utf8);
  if (x.vmm_pause.count() > 0)
    text += " (the VMM's own stamps: " + duration_text(x.vmm_pause, utf8) + ")";
  text += ", total " + duration_text(x.total, utf8) + "\n";
  text += "memory " + size_text(x.memory_bytes) + ", written "
          + size_text(x.written_bytes) + ", " + reservation_text(x);
  if (!x.file_system.empty())
    text += ", on " + printable(x.file_system);
  return text + "\noperation " + printable(x.operation.value) + "\n";
}

/// The time of one stage; empty when it did not run.
std::string time_of(const branch_report& x, stage which, bool utf8) {
  for (const auto& s : x.stages)
    if (s.which == which)
      return duration_text(s.elapsed, utf8);
  return "";
}

} // namespace

std::string report_text(const branch_report& x, const terminal& where) {
  auto text =
    headline(x, where) + stage_text(x, where) + sums_text(x, where.utf8);
  for (const auto& warning : x.warnings)
    text += paint("warning: " + printable(warning), tone::warn, where) + "\n";
  if (x.outcome)
    text += "remedy: " + std::string{advice(x.outcome.code)} + "\n";
  return text;
}

table report_table(const std::vector<branch_report>& reports, bool utf8) {
  constexpr auto right = align::right;
  table result{{{"#", right},
                {"SNAPSHOT"},
                {"OUTCOME"},
                {"PAUSE", right},
                {"RESERVE", right},
                {"TRACK", right},
                {"CAPTURE", right},
                {"DRAIN", right},
                {"SEAL", right},
                {"TOTAL", right},
                {"WRITTEN", right}}};
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const auto& x = reports[i];
    const bool is_good = !x.outcome;
    result.add({std::to_string(i + 1), x.tag.value,
                is_good ? cell{"sealed", tone::good}
                        : cell{to_string(x.outcome.code), tone::bad},
                duration_text(x.pause, utf8), time_of(x, stage::reserve, utf8),
                time_of(x, stage::track, utf8),
                time_of(x, stage::capture, utf8),
                time_of(x, stage::drain, utf8), time_of(x, stage::seal, utf8),
                duration_text(x.total, utf8), size_text(x.written_bytes)});
  }
  return result;
}

std::string pause_summary(const std::vector<microseconds>& pauses, bool utf8) {
  if (pauses.empty())
    return "";
  const auto at = [&](unsigned percent) {
    return duration_text(percentile(pauses, percent), utf8);
  };
  return fmt::format("pause p50 {}  p90 {}  max {}  {}", at(50), at(90),
                     at(100), sparkline(pauses, utf8));
}

std::vector<microseconds> pauses_in(const std::vector<fleet_event>& events,
                                    const sandbox_id& sandbox) {
  const auto is_in_window = [](const std::string& name) {
    return name == to_string(stage::pause) || name == to_string(stage::capture)
           || name == to_string(stage::resume);
  };
  std::map<std::string, microseconds> open;
  std::vector<microseconds> result;
  for (const auto& x : events) {
    if (x.sandbox != sandbox)
      continue;
    if (x.kind == "stage.ended" && is_in_window(x.stage))
      open[x.operation.value] += x.elapsed;
    if (x.kind != "snapshot.sealed")
      continue;
    if (const auto found = open.find(x.operation.value); found != open.end()) {
      result.push_back(found->second);
      open.erase(found);
    }
  }
  return result;
}

} // namespace forkfleet::shell
