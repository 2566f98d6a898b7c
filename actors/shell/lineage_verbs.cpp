// SPDX-License-Identifier: Apache-2.0
// tree: what came of what.
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
          age_text(x.snapshot->created_at, unix_now)};
}

void print_tree(session& io, const config::invocation& given,
                const lineage_tree& tree,
                const std::vector<lineage_line>& lines) {
  const auto format = format_of(given);
  if (format == output_format::name) {
    for (const auto& line : lines)
      io.out << tree.entries[line.entry].name << '\n';
  } else if (format == output_format::jsonl) {
    for (const auto& line : lines)
      print_json(io, format, line_json(tree, line));
  } else if (format == output_format::json) {
    auto all = schema::json::array();
    for (const auto& line : lines)
      all.push_back(line_json(tree, line));
    print_json(io, format, all);
  } else {
    table shown{{{"NAME"},
                 {"KIND"},
                 {"NODE"},
                 {"STATE"},
                 {"SIZE", align::right},
                 {"AGE", align::right}}};
    for (const auto& line : lines)
      shown.add(line_cells(tree.entries[line.entry], line.rails, unix_now()));
    io.out << shown.render(io.screen);
  }
}

exit_code run_tree(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto sandboxes = all_sandboxes(reached->fleet, timeout_of(given));
  if (!sandboxes)
    return tell(io, given, sandboxes.error());
  const auto snapshots = all_snapshots(reached->fleet, timeout_of(given));
  if (!snapshots)
    return tell(io, given, snapshots.error());
  const auto tree = grow_tree(*sandboxes, *snapshots);
  auto roots = tree.roots;
  if (const auto name = given.positional("NAME"); !name.empty()) {
    const auto found = find_in(tree, name);
    if (!found)
      return tell(io, given, {ec::unknown_snapshot, name},
                  "it is no sandbox either; see: forkfleet tree");
    roots = {*found};
  }
  print_tree(io, given, tree, lines_of(tree, roots, io.screen.utf8));
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
  };
}

} // namespace forkfleet::shell
