// SPDX-License-Identifier: Apache-2.0
// audit: who asked the coordinator for what, from the files on its machine.
#include <deque>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "actors/access.hpp"
#include "actors/audit_record.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/fleet_choice.hpp"
#include "actors/shell/table.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr uint64_t lines_max = 100'000;
constexpr std::size_t line_bytes_max = 64 * 1024;
constexpr std::size_t files_max = 100;

struct audit_filter {
  std::string subject = {};
  std::string operation = {};
  bool refused = false;
  uint64_t last = 100;

  bool takes(const audit_record& x) const {
    const bool is_refusal = x.event == "refused" || x.event == "suppressed";
    return (subject.empty() || x.subject == subject
            || name_in(x.subject) == subject)
           && (operation.empty() || x.operation == operation)
           && (!refused || is_refusal);
  }
};

/// What was read, and how many lines were none.
struct audit_lines {
  std::deque<audit_record> records = {};
  uint64_t damaged = 0;
};

void read_file(const std::string& path, const audit_filter& filter,
               audit_lines& into) {
  auto file = std::ifstream{path};
  auto line = std::string{};
  while (std::getline(file, line)) {
    if (line.empty())
      continue;
    const auto value = line.size() <= line_bytes_max
                         ? schema::parse_json(line)
                         : fail(ec::invalid_request, "too long");
    const auto record = value ? schema::from_json<audit_record>(*value)
                              : tl::unexpected{value.error()};
    if (!record) {
      ++into.damaged;
      continue;
    }
    if (!filter.takes(*record))
      continue;
    into.records.push_back(*record);
    if (into.records.size() > filter.last)
      into.records.pop_front();
  }
}

expected<audit_lines> read_all(const std::string& path,
                               const audit_filter& filter) {
  auto error = std::error_code{};
  const auto is_there = std::filesystem::exists(path, error);
  if (!is_there && !error)
    return fail(ec::invalid_request,
                path
                  + ": no such file; the audit log is on the coordinator's "
                    "machine");
  if (!std::ifstream{path})
    return fail(ec::not_permitted,
                path
                  + ": cannot be read; the audit log is for the coordinator's "
                    "own user and root");
  auto result = audit_lines{};
  for (auto i = files_max; i > 0; --i)
    read_file(path + "." + std::to_string(i), filter, result);
  read_file(path, filter, result);
  return result;
}

std::string render(session& io, const audit_lines& lines) {
  auto text = table{{{"TIME"},
                     {"EVENT"},
                     {"SUBJECT"},
                     {"ROLE"},
                     {"MESSAGE"},
                     {"OPERATION"},
                     {"TARGET"},
                     {"OUTCOME"}}};
  for (const auto& x : lines.records) {
    const auto event =
      x.count > 1 ? fmt::format("{} ({})", x.event, x.count) : x.event;
    text.add({time_text(x.at), event, x.subject, x.role, x.message, x.operation,
              x.target, x.outcome ? to_string(x.outcome) : std::string{}});
  }
  return text.render(io.screen);
}

exit_code run_audit(session& io, const config::invocation& given) {
  const auto choice =
    choose_fleet({.fleet = given.text("fleet")}, io.env, real_files());
  if (!choice)
    return tell(io, given, choice.error());
  const auto fleet = load_fleet(io, given, choice->path);
  if (!fleet)
    return fleet.error();
  const auto lines = read_all(config::audit_path(fleet->file),
                              {.subject = given.text("subject"),
                               .operation = given.text("operation"),
                               .refused = given.has("refused"),
                               .last = given.number("last").value_or(100)});
  if (!lines)
    return tell(io, given, lines.error());
  if (lines->damaged > 0)
    note(io, fmt::format("{} lines of the audit log cannot be read",
                         lines->damaged));
  const auto format = format_of(given);
  if (!is_json(format)) {
    io.out << render(io, *lines);
    return exit_code::done;
  }
  auto all = schema::json::array();
  for (const auto& x : lines->records)
    if (format == output_format::jsonl)
      print_json(io, format, schema::to_json(x));
    else
      all.push_back(schema::to_json(x));
  if (format == output_format::json)
    print_json(io, format, all);
  return exit_code::done;
}

} // namespace

std::vector<verb> audit_verbs() {
  using enum config::value_kind;
  return {
    {.entry =
       {.path = "audit",
        .summary = "Tell who asked for what, and what was refused.",
        .options = {{.name = "last",
                     .letter = 'n',
                     .kind = number,
                     .placeholder = "N",
                     .doc = "As many lines, the latest.",
                     .initial = "100",
                     .min = 1,
                     .max = lines_max},
                    {.name = "subject",
                     .kind = text,
                     .placeholder = "WHO",
                     .doc = "Only of client:NAME, token:NAME or uid:NUMBER."},
                    {.name = "operation",
                     .kind = text,
                     .placeholder = "ID",
                     .doc = "Only of this operation."},
                    {.name = "refused", .doc = "Only what was refused."}},
        .examples = {"forkfleet audit", "forkfleet audit --refused",
                     "forkfleet audit --subject client:ann -o jsonl"},
        .details = "Reads audit.jsonl in the coordinator's directory, so it "
                   "works on that machine alone, for the coordinator's own "
                   "user and root, also while no fleet is up."},
     .run = run_audit}};
}

} // namespace forkfleet::shell
