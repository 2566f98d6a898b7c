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
  if (!x.base.empty())
    how += " over " + printable(x.base.value);
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

/// One line of the sums: what, how much, and what there is to say about it.
std::string sum_line(std::string_view name, const std::string& value,
                     const std::vector<std::string>& notes = {}) {
  auto text = fmt::format("{:<10} {}", name, value);
  for (std::size_t i = 0; i < notes.size(); ++i)
    text += (i == 0 ? "  (" : ", ") + notes[i];
  return text + (notes.empty() ? "\n" : ")\n");
}

std::string pause_line(const branch_report& x, bool utf8) {
  std::vector<std::string> notes;
  if (x.predicted_pause.count() > 0)
    notes.push_back("predicted " + duration_text(x.predicted_pause, utf8));
  if (x.max_pause.count() > 0)
    notes.push_back("allowed " + duration_text(x.max_pause, utf8));
  if (x.vmm_pause.count() > 0)
    notes.push_back("by the VMM's own stamps "
                    + duration_text(x.vmm_pause, utf8));
  return sum_line("pause", duration_text(x.pause, utf8), notes);
}

std::string total_line(const branch_report& x, bool utf8) {
  std::vector<std::string> notes;
  if (x.delayed.count() > 0)
    notes.push_back("the pause was put off by "
                    + duration_text(x.delayed, utf8));
  if (x.unwritten_bytes > 0)
    notes.push_back(size_text(x.unwritten_bytes) + " unwritten before it");
  return sum_line("total", duration_text(x.total, utf8), notes);
}

std::string memory_line(const branch_report& x) {
  std::vector<std::string> notes;
  if (x.passes > 0)
    notes.push_back(fmt::format("{} pass{} while the guest ran", x.passes,
                                x.passes == 1 ? "" : "es"));
  if (x.residual_bytes > 0)
    notes.push_back(size_text(x.residual_bytes) + " copied in the pause");
  if (x.dirty_bytes_per_second > 0)
    notes.push_back("dirtied at " + size_text(x.dirty_bytes_per_second) + "/s");
  return sum_line("memory", size_text(x.memory_bytes), notes);
}

std::string written_line(const branch_report& x) {
  std::vector<std::string> notes;
  if (x.memory_bytes > 0 && x.written_bytes > 0)
    notes.push_back(fmt::format("{:.3g} % of memory",
                                100.0 * static_cast<double>(x.written_bytes)
                                  / static_cast<double>(x.memory_bytes)));
  notes.push_back(reservation_text(x));
  if (!x.file_system.empty())
    notes.push_back("on " + printable(x.file_system));
  return sum_line("written", size_text(x.written_bytes), notes);
}

std::string sums_text(const branch_report& x, bool utf8) {
  auto text = pause_line(x, utf8) + total_line(x, utf8) + memory_line(x)
              + written_line(x);
  if (!x.reason.empty())
    text += sum_line("not better", printable(x.reason));
  std::vector<std::string> notes;
  if (!x.subject.empty())
    notes.push_back("asked by " + printable(x.subject));
  return text + sum_line("operation", printable(x.operation.value), notes);
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
                {"MODE"},
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
                std::string{schema::name_of(x.mode)},
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
  std::vector<microseconds> result;
  for (const auto& x : events)
    if (x.sandbox == sandbox && x.kind == "snapshot.sealed"
        && x.elapsed.count() > 0)
      result.push_back(x.elapsed);
  return result;
}

} // namespace forkfleet::shell
