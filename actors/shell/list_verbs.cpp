// SPDX-License-Identifier: Apache-2.0
// nodes, ls, snapshots: what there is.
#include "actors/labels.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/list_text.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

/// Prints a list in the format that was asked for.
template <class T, class Tabulate, class Name>
void print_list(session& io, const config::invocation& given,
                const std::vector<T>& list, Tabulate tabulate, Name name) {
  const auto format = format_of(given);
  if (format == output_format::name) {
    for (const auto& x : list)
      io.out << name(x) << '\n';
  } else if (format == output_format::jsonl) {
    for (const auto& x : list)
      print_json(io, format, schema::to_json(x));
  } else if (format == output_format::json) {
    auto all = schema::json::array();
    for (const auto& x : list)
      all.push_back(schema::to_json(x));
    print_json(io, format, all);
  } else {
    const list_view view{.wide = format == output_format::wide,
                         .utf8 = io.screen.utf8,
                         .unix_now = unix_now()};
    io.out << tabulate(list, view).render(io.screen);
  }
}

/// Finds the fleet, fetches a list and prints it.
template <class Fetch, class Tabulate, class Name>
exit_code show_list(session& io, const config::invocation& given, Fetch fetch,
                    Tabulate tabulate, Name name) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto list = fetch(reached->fleet, timeout_of(given));
  if (!list)
    return tell(io, given, list.error());
  print_list(io, given, *list, tabulate, name);
  return exit_code::done;
}

exit_code run_nodes(session& io, const config::invocation& given) {
  return show_list(io, given, all_nodes, node_table,
                   [](const node_info& x) { return x.host.value; });
}

exit_code run_ls(session& io, const config::invocation& given) {
  return show_list(io, given, all_sandboxes, sandbox_table,
                   [](const sandbox_info& x) { return x.id.value; });
}

exit_code run_snapshots(session& io, const config::invocation& given) {
  const auto fetch = [wanted = given.texts("label")](client& fleet,
                                                     milliseconds limit) {
    auto list = all_snapshots(fleet, limit);
    if (list)
      std::erase_if(*list, [&wanted](const snapshot_info& x) {
        return !has_labels(x.labels, wanted);
      });
    return list;
  };
  return show_list(io, given, fetch, snapshot_table,
                   [](const snapshot_info& x) { return x.tag.value; });
}

} // namespace

std::vector<verb> list_verbs() {
  return {
    {.entry = {.path = "nodes",
               .summary = "List the nodes.",
               .examples = {"forkfleet nodes", "forkfleet nodes -o wide"}},
     .run = run_nodes},
    {.entry = {.path = "ls",
               .summary = "List the sandboxes.",
               .examples = {"forkfleet ls", "forkfleet ls -o name"}},
     .run = run_ls},
    {.entry = {.path = "snapshots",
               .summary = "List the snapshots.",
               .options = {{.name = "label",
                            .kind = config::value_kind::text,
                            .placeholder = "KEY[=VALUE]",
                            .doc = "Only those with this label; several must "
                                   "all be there.",
                            .repeatable = true}},
               .examples = {"forkfleet snapshots",
                            "forkfleet snapshots --label run=7",
                            "forkfleet snapshots -o json"}},
     .run = run_snapshots},
  };
}

} // namespace forkfleet::shell
