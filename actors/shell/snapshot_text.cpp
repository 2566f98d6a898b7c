// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/snapshot_text.hpp"

#include <fmt/format.h>

#include "actors/shell/advice.hpp"
#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

std::string failed_text(const std::string& what, const failure& why,
                        const terminal& where) {
  const auto text = what + " failed: " + to_string(why);
  return paint(printable(text), tone::bad, where)
         + "\nremedy: " + std::string{advice(why.code)} + "\n";
}

/// How fast `bytes` went; empty when no time is known.
std::string speed_text(uint64_t bytes, microseconds elapsed) {
  if (elapsed.count() <= 0)
    return "";
  const auto seconds = static_cast<double>(elapsed.count()) / 1e6;
  const auto speed = static_cast<double>(bytes) / seconds;
  return size_text(static_cast<uint64_t>(speed)) + "/s";
}

/// Who signed an archive; and what a child would run, unless the fleet did.
std::string vouching_text(const archive_report& x) {
  if (x.signature.empty())
    return "";
  auto result = "signed by " + printable(x.signature) + "\n";
  if (x.signature == "the fleet")
    return result;
  for (const auto& line : x.contract)
    result += "  would run " + printable(line) + "\n";
  return result;
}

cell outcome_cell(const failure& outcome) {
  if (!outcome)
    return {"sound", tone::good};
  const bool is_damaged = outcome.code == ec::snapshot_corrupt;
  return {is_damaged ? "damaged" : to_string(outcome.code), tone::bad};
}

} // namespace

std::string verify_text(const verify_report& x, const terminal& where) {
  const auto place = x.tag.value + " on " + x.host.value;
  const auto read = fmt::format("read {}, {} hashes, {}\n", size_text(x.bytes),
                                x.hashes, duration_text(x.elapsed, where.utf8));
  if (!x.outcome)
    return printable(place) + " " + paint("is sound", tone::good, where) + "\n"
           + read;
  if (x.outcome.code != ec::snapshot_corrupt)
    return failed_text("verifying " + place, x.outcome, where);
  return printable(place) + " "
         + paint("is damaged: " + printable(x.outcome.message), tone::bad,
                 where)
         + "\n" + read + "remedy: " + std::string{advice(x.outcome.code)}
         + "\n";
}

table verify_table(const std::vector<verify_report>& reports, bool utf8) {
  constexpr auto right = align::right;
  table result{{{"SNAPSHOT"},
                {"NODE"},
                {"OUTCOME"},
                {"READ", right},
                {"HASHES", right},
                {"TIME", right},
                {"SPEED", right},
                {"WHERE"}}};
  for (const auto& x : reports)
    result.add({x.tag.value, x.host.value, outcome_cell(x.outcome),
                size_text(x.bytes), std::to_string(x.hashes),
                duration_text(x.elapsed, utf8), speed_text(x.bytes, x.elapsed),
                x.outcome.message});
  return result;
}

std::string archive_text(const archive_report& x, const std::string& verb,
                         const terminal& where) {
  if (x.outcome)
    return failed_text(x.file.empty() ? verb : x.file, x.outcome, where)
           + vouching_text(x);
  const auto is_export = verb == "exported";
  return fmt::format("{} {} {} {} on {}\n{} holds {} of guest memory, {}\n",
                     paint(verb, tone::good, where),
                     printable(is_export ? x.tag.value : x.file),
                     is_export ? "to" : "as",
                     printable(is_export ? x.file : x.tag.value),
                     printable(x.host.value), size_text(x.stored_bytes),
                     size_text(x.bytes), duration_text(x.elapsed, where.utf8))
         + vouching_text(x);
}

} // namespace forkfleet::shell
