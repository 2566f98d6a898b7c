// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/list_text.hpp"

#include <fmt/format.h>

#include "actors/labels.hpp"
#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

/// A column and how to fill it. Columns that are `wide` are left out of the
/// normal view.
template <class T>
struct filled_column {
  column head;
  cell (*fill)(const T& x, const list_view& view);
  bool wide = false;
};

template <class T, std::size_t N>
table tabulate(const std::vector<T>& list, const list_view& view,
               const filled_column<T> (&columns)[N]) {
  std::vector<column> heads;
  for (const auto& x : columns)
    if (view.wide || !x.wide)
      heads.push_back(x.head);
  table result{heads};
  for (const auto& entry : list) {
    std::vector<cell> row;
    for (const auto& x : columns)
      if (view.wide || !x.wide)
        row.push_back(x.fill(entry, view));
    result.add(std::move(row));
  }
  return result;
}

template <schema::named_enum Enum>
std::string named(Enum x) {
  return std::string{schema::name_of(x)};
}

cell state_cell(node_state x) {
  const auto name = named(x);
  switch (x) {
    case node_state::up:
      return {name, tone::good};
    case node_state::expected:
    case node_state::joining:
    case node_state::late:
      return {name, tone::warn};
    case node_state::down:
      return {name, tone::bad};
  }
  return name;
}

cell state_cell(sandbox_state x) {
  const auto name = named(x);
  switch (x) {
    case sandbox_state::running:
      return {name, tone::good};
    case sandbox_state::starting:
    case sandbox_state::paused:
      return {name, tone::warn};
    case sandbox_state::stopped:
      return {name, tone::faint};
    case sandbox_state::stuck:
    case sandbox_state::gone:
      return {name, tone::bad};
  }
  return name;
}

std::string count(uint64_t x) {
  return std::to_string(x);
}

constexpr auto right = align::right;

using node_column = filled_column<node_info>;
using sandbox_column = filled_column<sandbox_info>;
using snapshot_column = filled_column<snapshot_info>;

} // namespace

table node_table(const std::vector<node_info>& nodes, const list_view& view) {
  using in = const node_info&;
  using how = const list_view&;
  static const node_column columns[] = {
    {{"NODE"}, [](in x, how) -> cell { return x.host.value; }},
    {{"STATE"}, [](in x, how) -> cell { return state_cell(x.state); }},
    {{"SANDBOXES", right},
     [](in x, how) -> cell { return count(x.load.sandboxes); }},
    {{"SNAPSHOTS", right},
     [](in x, how) -> cell { return count(x.load.snapshots); }},
    {{"BRANCHES", right},
     [](in x, how) -> cell {
       return fmt::format("{}/{}", x.load.branches, x.load.branch_slots);
     }},
    {{"DISK-FREE", right},
     [](in x, how) -> cell { return size_text(x.load.disk_free_bytes); }},
    {{"MEMORY-FREE", right},
     [](in x, how) -> cell { return size_text(x.load.memory_free_bytes); }},
    {{"MEMORY-USED", right},
     [](in x, how) -> cell { return size_text(x.load.memory_used_bytes); }},
    {{"PROMISED", right},
     [](in x, how) -> cell { return size_text(x.load.memory_promised_bytes); }},
    {{"ACCELERATOR"}, [](in x, how) -> cell { return x.accelerator; }},
    {{"FILES", right},
     [](in x, how) -> cell {
       return fmt::format("{}/{}", x.load.descriptors_open,
                          x.load.descriptors_max);
     },
     true},
    {{"ROOM-FOR", right},
     [](in x, how) -> cell { return count(x.load.descriptor_room); },
     true},
    {{"LIMITS"}, [](in x, how) -> cell { return x.limits; }, true},
    {{"NETWORK"}, [](in x, how) -> cell { return x.network; }, true},
    {{"CONFINEMENT"}, [](in x, how) -> cell { return x.confinement; }, true},
    {{"VERSION"}, [](in x, how) -> cell { return x.version; }, true},
    {{"SILENCE", right},
     [](in x, how view_) -> cell {
       return duration_text(x.silence, view_.utf8);
     },
     true},
    {{"INCARNATION", right},
     [](in x, how) -> cell { return count(x.incarnation); },
     true},
    {{"IDENTITY"}, [](in x, how) -> cell { return x.identity; }, true},
    {{"FILE-SYSTEM"}, [](in x, how) -> cell { return x.file_system; }, true},
    {{"DATA"}, [](in x, how) -> cell { return x.data; }, true},
  };
  return tabulate(nodes, view, columns);
}

table sandbox_table(const std::vector<sandbox_info>& sandboxes,
                    const list_view& view) {
  using in = const sandbox_info&;
  using how = const list_view&;
  static const sandbox_column columns[] = {
    {{"SANDBOX"}, [](in x, how) -> cell { return x.id.value; }},
    {{"NODE"}, [](in x, how) -> cell { return x.host.value; }},
    {{"STATE"}, [](in x, how) -> cell { return state_cell(x.state); }},
    {{"ORIGIN"}, [](in x, how) -> cell { return named(x.origin); }},
    {{"PARENT"}, [](in x, how) -> cell { return x.parent.value; }},
    {{"MEMORY", right},
     [](in x, how) -> cell { return size_text(x.memory_bytes); }},
    {{"VCPUS", right}, [](in x, how) -> cell { return count(x.vcpus); }},
    {{"BRANCHES", right}, [](in x, how) -> cell { return count(x.branches); }},
    {{"AGE", right},
     [](in x, how view_) -> cell {
       return age_text(x.started_at, view_.unix_now);
     }},
    {{"DRIVER"}, [](in x, how) -> cell { return x.driver; }, true},
    {{"ADDRESS"}, [](in x, how) -> cell { return x.network.address; }, true},
    {{"PID", right}, [](in x, how) -> cell { return count(x.pid); }, true},
    {{"CONSOLE"}, [](in x, how) -> cell { return x.console; }, true},
    {{"DIRECTORY"}, [](in x, how) -> cell { return x.directory; }, true},
    {{"NOTE"}, [](in x, how) -> cell { return x.note; }},
  };
  return tabulate(sandboxes, view, columns);
}

table snapshot_table(const std::vector<snapshot_info>& snapshots,
                     const list_view& view) {
  using in = const snapshot_info&;
  using how = const list_view&;
  static const snapshot_column columns[] = {
    {{"SNAPSHOT"}, [](in x, how) -> cell { return x.tag.value; }},
    {{"NODE"}, [](in x, how) -> cell { return x.host.value; }},
    {{"SOURCE"}, [](in x, how) -> cell { return x.source.value; }},
    {{"MODE"}, [](in x, how) -> cell { return named(x.mode); }},
    {{"BASE"}, [](in x, how) -> cell { return x.base.value; }},
    {{"DEPTH", right}, [](in x, how) -> cell { return count(x.depth); }},
    {{"MEMORY", right},
     [](in x, how) -> cell { return size_text(x.memory_bytes); }},
    {{"STORED", right},
     [](in x, how) -> cell { return size_text(x.stored_bytes); }},
    {{"AGE", right},
     [](in x, how view_) -> cell {
       return age_text(x.created_at, view_.unix_now);
     }},
    {{"LABELS"}, [](in x, how) -> cell { return join_labels(x.labels); }},
    {{"NOTE"}, [](in x, how) -> cell { return x.note; }, true},
    {{"BY"}, [](in x, how) -> cell { return x.subject; }, true},
    {{"METHOD"}, [](in x, how) -> cell { return x.method; }, true},
    {{"DRIVER"}, [](in x, how) -> cell { return x.driver; }, true},
    {{"PARENT"}, [](in x, how) -> cell { return x.parent.value; }, true},
    {{"OPERATION"}, [](in x, how) -> cell { return x.operation.value; }, true},
    {{"CREATED"},
     [](in x, how) -> cell { return time_text(x.created_at); },
     true},
    {{"ROOT-HASH"}, [](in x, how) -> cell { return x.root_hash; }, true},
    {{"DIRECTORY"}, [](in x, how) -> cell { return x.directory; }, true},
  };
  return tabulate(snapshots, view, columns);
}

std::string event_line(const fleet_event& x, const list_view& view) {
  auto line =
    fmt::format("{:>6}  {}  {:<16}", x.sequence, time_text(x.at), x.kind);
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty())
      line += fmt::format("  {}={}", key, value);
  };
  add("host", x.host.value);
  add("sandbox", x.sandbox.value);
  add("tag", x.tag.value);
  add("operation", x.operation.value);
  add("stage", x.stage);
  if (x.elapsed.count() > 0)
    add("elapsed", duration_text(x.elapsed, view.utf8));
  add("subject", x.subject);
  add("detail", x.detail);
  return printable(line);
}

} // namespace forkfleet::shell
