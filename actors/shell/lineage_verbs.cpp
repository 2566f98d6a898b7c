// SPDX-License-Identifier: Apache-2.0
// tree, log, why-kept: what came of what, and what needs what.
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/lineage_tree.hpp"
#include "actors/shell/table.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

std::string kind_of(const lineage_entry& x) {
  return x.is_snapshot ? "snapshot" : "sandbox";
}

schema::json line_json(const lineage_tree& tree, const lineage_line& line) {
  const auto& x = tree.entries[line.entry];
  schema::json result{{"depth", line.depth},
                      {"kind", kind_of(x)},
                      {"name", x.name},
                      {"is_gone", x.is_gone()}};
  if (x.above)
    result["above"] = tree.entries[*x.above].name;
  if (x.sandbox)
    result["sandbox"] = schema::to_json(*x.sandbox);
  if (x.snapshot)
    result["snapshot"] = schema::to_json(*x.snapshot);
  return result;
}

std::vector<cell> line_cells(const lineage_entry& x, const std::string& rails,
                             microseconds unix_now) {
  if (x.is_gone())
    return {{rails + x.name, tone::faint},
            kind_of(x),
            "",
            {x.is_snapshot ? "removed" : "ended", tone::faint}};
  if (x.sandbox)
    return {rails + x.name,
            kind_of(x),
            x.sandbox->host.value,
            std::string{schema::name_of(x.sandbox->state)},
            size_text(x.sandbox->memory_bytes),
            age_text(x.sandbox->started_at, unix_now)};
  return {{rails + x.name, tone::strong},
          kind_of(x),
          x.snapshot->host.value,
          std::string{schema::name_of(x.snapshot->mode)},
          size_text(x.snapshot->stored_bytes),
          age_text(x.snapshot->created_at, unix_now),
          x.snapshot->subject};
}

/// Prints what a list of JSON values stands for: all of it, or the names.
void print_values(session& io, output_format format,
                  const std::vector<schema::json>& values) {
  if (format == output_format::json)
    return print_json(io, format, schema::json(values));
  for (const auto& x : values)
    if (format == output_format::jsonl)
      print_json(io, format, x);
    else
      io.out << x.at("name").get<std::string>() << '\n';
}

bool is_table(output_format x) {
  return x == output_format::table || x == output_format::wide;
}

void print_lines(session& io, const config::invocation& given,
                 const lineage_tree& tree,
                 const std::vector<lineage_line>& lines) {
  if (const auto format = format_of(given); !is_table(format)) {
    std::vector<schema::json> values;
    for (const auto& line : lines)
      values.push_back(line_json(tree, line));
    return print_values(io, format, values);
  }
  table shown{{{"NAME"},
               {"KIND"},
               {"NODE"},
               {"STATE"},
               {"SIZE", align::right},
               {"AGE", align::right},
               {"BY"}}};
  for (const auto& line : lines)
    shown.add(line_cells(tree.entries[line.entry], line.rails, unix_now()));
  io.out << shown.render(io.screen);
}

/// All of the fleet; what is wrong has been told.
tl::expected<lineage_tree, exit_code> fetch(session& io,
                                            const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return tl::unexpected{reached.error()};
  const auto sandboxes = all_sandboxes(reached->fleet, timeout_of(given));
  if (!sandboxes)
    return tl::unexpected{tell(io, given, sandboxes.error())};
  const auto snapshots = all_snapshots(reached->fleet, timeout_of(given));
  if (!snapshots)
    return tl::unexpected{tell(io, given, snapshots.error())};
  return grow_tree(*sandboxes, *snapshots);
}

exit_code not_there(session& io, const config::invocation& given,
                    const std::string& name) {
  return tell(io, given, {ec::unknown_snapshot, name},
              "it is no sandbox either; see: forkfleet tree");
}

exit_code run_tree(session& io, const config::invocation& given) {
  const auto tree = fetch(io, given);
  if (!tree)
    return tree.error();
  auto roots = tree->roots;
  if (const auto name = given.positional("NAME"); !name.empty()) {
    const auto found = find_in(*tree, name);
    if (!found)
      return not_there(io, given, name);
    roots = {*found};
  }
  print_lines(io, given, *tree, lines_of(*tree, roots, io.screen.utf8));
  return exit_code::done;
}

exit_code run_log(session& io, const config::invocation& given) {
  const auto tree = fetch(io, given);
  if (!tree)
    return tree.error();
  const auto name = given.positional("NAME");
  auto place = find_in(*tree, name);
  if (!place)
    return not_there(io, given, name);
  std::vector<lineage_line> lines;
  for (; place; place = tree->entries[*place].above)
    lines.push_back({.entry = *place, .depth = lines.size()});
  print_lines(io, given, *tree, lines);
  return exit_code::done;
}

/// What the retention of its host says of a snapshot; empty where there are
/// no rules, or nobody to tell.
std::string retention_of(session& io, const config::invocation& given,
                         const snapshot_tag& tag) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return {};
  const auto report = reached->fleet.ask<inspect_report>(
    inspect_request{.tag = tag}, timeout_of(given));
  if (!report)
    return "not known: " + to_string(report.error());
  return report->retention;
}

void tell_retention(session& io, const std::string& why) {
  if (!why.empty())
    io.out << printable("retention: " + why) << '\n';
}

exit_code run_why_kept(session& io, const config::invocation& given) {
  const auto tree = fetch(io, given);
  if (!tree)
    return tree.error();
  const snapshot_tag tag{given.positional("SNAPSHOT")};
  const auto reasons = needs_of(*tree, tag);
  if (!reasons)
    return tell(io, given, {ec::unknown_snapshot, tag.value});
  const auto retention = retention_of(io, given, tag);
  if (const auto format = format_of(given); !is_table(format)) {
    std::vector<schema::json> values;
    for (const auto& x : *reasons)
      values.push_back({{"name", x.name}, {"kind", x.kind}, {"why", x.why}});
    if (!retention.empty() && is_json(format))
      values.push_back(
        {{"name", tag.value}, {"kind", "retention"}, {"why", retention}});
    print_values(io, format, values);
  } else if (reasons->empty()) {
    io.out << "nothing needs " << printable(tag.value)
           << "; remove it: forkfleet rm " << printable(tag.value) << '\n';
    tell_retention(io, retention);
  } else {
    table shown{{{"NEEDED-BY"}, {"KIND"}, {"WHY"}}};
    for (const auto& x : *reasons)
      shown.add({x.name, x.kind, x.why});
    io.out << shown.render(io.screen);
    tell_retention(io, retention);
  }
  return exit_code::done;
}

} // namespace

std::vector<verb> lineage_verbs() {
  return {
    {.entry = {.path = "tree",
               .summary = "Show what came of what.",
               .positionals = {{.name = "NAME",
                                .doc = "A sandbox or a snapshot: only it and "
                                       "what came of it.",
                                .least = 0}},
               .examples = {"forkfleet tree", "forkfleet tree try-a",
                            "forkfleet tree -o jsonl"},
               .details = "Below each sandbox stand its snapshots, below each "
                          "snapshot its children. What is gone is shown while "
                          "something that came of it is there."},
     .run = run_tree},
    {.entry = {.path = "log",
               .summary = "Show what a sandbox or a snapshot came of.",
               .positionals = {{.name = "NAME",
                                .doc = "A sandbox or a snapshot."}},
               .examples = {"forkfleet log child-1"}},
     .run = run_log},
    {.entry = {.path = "why-kept",
               .summary = "Tell what needs a snapshot.",
               .positionals = {{.name = "SNAPSHOT",
                                .doc = "The snapshot's tag."}},
               .examples = {"forkfleet why-kept try-a"},
               .details = "While something does, it cannot be removed. Where "
                          "the fleet file has a retention, its verdict on "
                          "the snapshot is told, too."},
     .run = run_why_kept},
  };
}

} // namespace forkfleet::shell
