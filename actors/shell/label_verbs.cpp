// SPDX-License-Identifier: Apache-2.0
// label, note, inspect, diff: what is said of a snapshot, what is known of a
// snapshot or a sandbox, and how two snapshots differ.
#include "actors/labels.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/inspect_text.hpp"
#include "actors/shell/verb.hpp"
#include "actors/shell/waiting.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds compare_limit{600'000};
constexpr milliseconds compare_slack{5000};

/// KEY=VALUE adds, KEY- takes away.
annotate_request change_of(const config::invocation& given) {
  annotate_request result{.tag = {given.positional("SNAPSHOT")}};
  for (auto& word : given.positionals("LABEL"))
    if (word.find('=') == word.npos && word.ends_with('-'))
      result.dropped.push_back(word.substr(0, word.size() - 1));
    else
      result.labels.push_back(word);
  return result;
}

exit_code annotate(session& io, const config::invocation& given,
                   const annotate_request& request) {
  const auto good = check_change({.labels = request.labels,
                                  .dropped = request.dropped,
                                  .has_note = request.has_note,
                                  .note = request.note});
  if (!good)
    return tell(io, given, good.error());
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto answer =
    reached->fleet.ask<inspect_report>(request, timeout_of(given));
  if (!answer)
    return tell(io, given, answer.error());
  const auto& x = answer->snapshot;
  const auto format = format_of(given);
  if (is_json(format))
    print_json(io, format, schema::to_json(x));
  else if (format == output_format::name)
    io.out << x.tag.value << '\n';
  else if (request.has_note)
    io.out << printable(x.tag.value + ": " + x.note) << '\n';
  else
    io.out << printable(x.tag.value + ": " + join_labels(x.labels)) << '\n';
  return exit_code::done;
}

exit_code run_label(session& io, const config::invocation& given) {
  return annotate(io, given, change_of(given));
}

exit_code run_note(session& io, const config::invocation& given) {
  return annotate(io, given,
                  {.tag = {given.positional("SNAPSHOT")},
                   .has_note = true,
                   .note = given.positional("TEXT")});
}

exit_code run_inspect(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  auto& fleet = reached->fleet;
  const auto limit = timeout_of(given);
  const auto sandboxes = all_sandboxes(fleet, limit);
  if (!sandboxes)
    return tell(io, given, sandboxes.error());
  const auto snapshots = all_snapshots(fleet, limit);
  if (!snapshots)
    return tell(io, given, snapshots.error());
  const auto tree = grow_tree(*sandboxes, *snapshots);
  const auto name = given.positional("NAME");
  const auto place = find_in(tree, name);
  if (!place || tree.entries[*place].is_gone())
    return tell(io, given, {ec::unknown_snapshot, name},
                "it is no sandbox either; see: forkfleet tree");
  std::optional<inspect_report> report;
  if (tree.entries[*place].snapshot) {
    auto answer =
      fleet.ask<inspect_report>(inspect_request{.tag = {name}}, limit);
    if (!answer)
      return tell(io, given, answer.error());
    report = std::move(*answer);
  }
  const auto known = known_of(tree, *place, report);
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, known);
  else if (format == output_format::name)
    io.out << name << '\n';
  else
    io.out << inspect_text(known);
  return exit_code::done;
}

exit_code run_diff(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const compare_request request{
    .tag = {given.positional("A")},
    .other = {given.positional("B")},
    .deadline = given.duration("deadline").value_or(compare_limit)};
  auto& fleet = reached->fleet;
  const auto report = wait_with_line(io, "the comparison", [&fleet, &request] {
    return fleet.ask<compare_report>(request, request.deadline + compare_slack);
  });
  if (!report)
    return tell(io, given, report.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*report));
  else
    io.out << compare_text(*report);
  return exit_code_of(report->outcome.code);
}

config::positional snapshot_positional() {
  return {.name = "SNAPSHOT", .doc = "The snapshot's tag."};
}

} // namespace

std::vector<verb> label_verbs() {
  return {
    {.entry = {.path = "label",
               .summary = "Change a snapshot's labels.",
               .positionals = {snapshot_positional(),
                               {.name = "LABEL",
                                .doc = "KEY=VALUE adds or changes one, KEY- "
                                       "takes it away.",
                                .least = 1,
                                .most = 2 * labels_max}},
               .examples = {"forkfleet label try-a run=7 pinned=yes",
                            "forkfleet label try-a pinned-"},
               .details = "Labels are no part of a snapshot's identity. The "
                          "fleet file's retention goes by them."},
     .run = run_label},
    {.entry = {.path = "note",
               .summary = "Change a snapshot's note.",
               .positionals = {snapshot_positional(),
                               {.name = "TEXT",
                                .doc = "One line; nothing takes the note "
                                       "away.",
                                .least = 0}},
               .examples = {"forkfleet note try-a \"before the upgrade\""}},
     .run = run_note},
    {.entry = {.path = "inspect",
               .summary = "Tell all that is known of a snapshot or a sandbox.",
               .positionals = {{.name = "NAME",
                                .doc = "A sandbox or a snapshot."}},
               .examples = {"forkfleet inspect try-a",
                            "forkfleet inspect child-1 -o json"}},
     .run = run_inspect},
    {.entry = {.path = "diff",
               .summary = "Tell how the memory of two snapshots differs.",
               .options = {{.name = "deadline",
                            .kind = config::value_kind::duration,
                            .doc = "For all of it.",
                            .initial = "10min",
                            .min = 100,
                            .max = 3'600'000}},
               .positionals = {{.name = "A", .doc = "One snapshot's tag."},
                               {.name = "B", .doc = "The other's."}},
               .examples = {"forkfleet diff try-a try-b",
                            "forkfleet diff try-a try-b -o json"},
               .details = "Both must lie on one host. What both share is not "
                          "read."},
     .run = run_diff},
  };
}

} // namespace forkfleet::shell
