// SPDX-License-Identifier: Apache-2.0
#include "tests/support/invariants.hpp"

#include <fmt/format.h>

namespace forkfleet::test {

namespace {

std::string check_guests(const simulated_fleet& fleet,
                         const simulated_node& node) {
  for (const auto& [id, machine] : node.machines->all())
    if (machine->health() == vmm_health::paused && !fleet.is_told_stuck(id))
      return fmt::format("{} stands still although its node lives", id.value);
  return {};
}

std::string check_slots(simulated_fleet& fleet, std::size_t index) {
  auto& state = fleet.node_state_now(index);
  if (state.slots.taken() > state.slots.slots())
    return fmt::format("host {} runs {} branches in {} slots",
                       state.settings.host.value, state.slots.taken(),
                       state.slots.slots());
  return {};
}

/// A branch that runs came before those of its source that wait.
std::string check_order(simulated_fleet& fleet, std::size_t index) {
  const auto& state = fleet.node_state_now(index);
  for (const auto& [operation, runs] : state.orders)
    for (const auto& [other, waits] : state.orders)
      if (runs.request.sandbox == waits.request.sandbox
          && !state.slots.is_queued(operation) && state.slots.is_queued(other)
          && waits.arrival < runs.arrival)
        return fmt::format("{} passed {}, which waits for the same source",
                           operation.value, other.value);
  return {};
}

/// A child that runs has its parent there: the retention takes nothing that
/// is needed.
std::string check_parents(simulated_fleet& fleet, std::size_t index) {
  const auto& disk = *fleet.nodes[index].disk;
  for (const auto& [id, managed] : fleet.node_state_now(index).sandboxes)
    if (managed.handle && !managed.info.parent.empty()
        && !disk.sealed.contains(managed.info.parent))
      return fmt::format("{} runs on {}, which was removed", id.value,
                         managed.info.parent.value);
  return {};
}

/// What failed or was cancelled is no base of anything.
std::string check_heads(simulated_fleet& fleet, std::size_t index) {
  const auto& roots = fleet.nodes[index].disk->roots;
  for (const auto& [id, known] : fleet.nodes[index].vms) {
    const auto vm = known.lock();
    const auto root = vm ? vm->tracked_since() : std::string{};
    if (!root.empty() && !roots.contains(root))
      return fmt::format("changes of {} count from a snapshot that was never "
                         "sealed",
                         id.value);
  }
  return {};
}

std::string name_orphan(const std::string& kind, const std::string& name,
                        const snapshot_tag& parent) {
  return fmt::format("{} {} has parent {}, which the lineage lacks", kind, name,
                     parent.value);
}

} // namespace

std::string check_moment(simulated_fleet& fleet) {
  for (std::size_t i = 0; i < fleet.nodes.size(); ++i) {
    const auto& node = fleet.nodes[i];
    if (!node.is_up() || !node.actor)
      continue;
    if (auto wrong = check_guests(fleet, node); !wrong.empty())
      return wrong;
    if (auto wrong = check_slots(fleet, i); !wrong.empty())
      return wrong;
    if (auto wrong = check_order(fleet, i); !wrong.empty())
      return wrong;
    if (auto wrong = check_heads(fleet, i); !wrong.empty())
      return wrong;
    if (auto wrong = check_parents(fleet, i); !wrong.empty())
      return wrong;
  }
  const auto found = fleet.violations();
  return found.empty() ? std::string{} : found.front();
}

std::string check_lineage(simulated_fleet& fleet) {
  if (!fleet.coordinator_is_up)
    return {};
  const auto& names = fleet.coordinator_state_now().names;
  for (const auto& x : names.list(sandboxes_request{}).sandboxes)
    if (!x.parent.empty() && !names.has_ancestor(x.parent))
      return name_orphan("sandbox", x.id.value, x.parent);
  for (const auto& x : names.list(snapshots_request{}).snapshots)
    if (!x.parent.empty() && !names.has_ancestor(x.parent))
      return name_orphan("snapshot", x.tag.value, x.parent);
  return {};
}

std::string check_report(const branch_report& report) {
  auto sum = microseconds{0};
  for (std::size_t i = 0; i < report.stages.size(); ++i) {
    if (i > 0 && report.stages[i].which <= report.stages[i - 1].which)
      return fmt::format("operation {}: stage {} comes after {}",
                         report.operation.value,
                         to_string(report.stages[i].which),
                         to_string(report.stages[i - 1].which));
    sum += report.stages[i].elapsed;
  }
  // A report that was put together after a node's death has no times.
  if (sum > report.total && report.total.count() > 0)
    return fmt::format("operation {}: its stages take {} us, it took {} us",
                       report.operation.value, sum.count(),
                       report.total.count());
  return {};
}

std::string check_disks(const simulated_fleet& fleet) {
  for (const auto& node : fleet.nodes) {
    for (const auto& [tag, snapshot] : node.disk->sealed)
      if (auto whole = node.disk->check_whole(snapshot.files); !whole)
        return fmt::format("snapshot {}: {}", tag.value,
                           to_string(whole.error()));
    for (const auto& [operation, files] : node.disk->staged)
      return fmt::format("operation {} left something in staging",
                         operation.value);
    for (const auto& [operation, entry] : node.disk->journal)
      if (!entry.ended)
        return fmt::format("operation {} has no ending in its journal",
                           operation.value);
  }
  return {};
}

std::string endings::add(const branch_report& report) {
  if (auto wrong = check_report(report); !wrong.empty())
    return wrong;
  const auto [known, is_new] = all_.try_emplace(report.operation, report);
  const auto& first = known->second;
  if (first.outcome.code == report.outcome.code
      && first.root_hash == report.root_hash)
    return {};
  return fmt::format("operation {} ended in '{}' and in '{}'",
                     report.operation.value, to_string(first.outcome),
                     to_string(report.outcome));
}

} // namespace forkfleet::test
