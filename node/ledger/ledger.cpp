// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/ledger.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "actors/page_cutter.hpp"

namespace forkfleet {

namespace {

/// What is said of one thing.
struct verdict {
  ledger_state state = ledger_state::orphan;
  std::string owner = {};
  std::string reason = {};
};

verdict owned(std::string owner) {
  return {ledger_state::owned, std::move(owner), {}};
}

verdict orphan(std::string reason) {
  return {ledger_state::orphan, {}, std::move(reason)};
}

verdict damaged(std::string reason) {
  return {ledger_state::damaged, {}, std::move(reason)};
}

bool is_known(const ledger_thing& x, const ledger_owners& owners) {
  return owners.has_node ? owners.sandboxes.contains(x.name) : x.has_record;
}

std::string unknown_sandbox(const ledger_owners& owners) {
  return owners.has_node ? "the node knows no such sandbox"
                         : "no record of such a sandbox";
}

/// A damaged record may be of this very VM: its processes are not judged.
verdict judge_process(const ledger_thing& x, const ledger_owners& owners) {
  if (!x.damage.empty() && !owners.sandboxes.contains(x.name))
    return damaged("its sandbox cannot be told: " + x.damage);
  if (!is_known(x, owners))
    return orphan(unknown_sandbox(owners));
  if (x.is_other_process)
    return orphan("sandbox " + x.name + " has another VM");
  return owned("sandbox " + x.name);
}

verdict judge_sandbox(const ledger_thing& x, const ledger_owners& owners) {
  if (!x.damage.empty())
    return damaged(x.damage
                   + "; its VM may run: look at it, then remove the directory");
  if (is_known(x, owners))
    return owned("sandbox " + x.name);
  return orphan(unknown_sandbox(owners));
}

verdict judge_snapshot(const ledger_thing& x, const ledger_owners& owners) {
  if (owners.making.contains(x.name) || owners.changing.contains(x.name)
      || owners.snapshots.contains(x.name))
    return x.damage.empty()
             ? owned("snapshot " + x.name)
             : damaged(x.damage + "; forkfleet verify tells more");
  return damaged((x.damage.empty() ? "it is not listed" : x.damage)
                 + "; look at it, then forkfleet rm " + x.name);
}

/// A file beside those of a sealed snapshot.
verdict judge_leftover(const ledger_thing& x, const ledger_owners& owners) {
  if (owners.making.contains(x.name) || owners.changing.contains(x.name))
    return owned("snapshot " + x.name);
  return orphan("it was never finished");
}

verdict judge_staging(const ledger_thing& x, const ledger_owners& owners) {
  if (owners.staging.contains(x.name))
    return owned("operation " + x.name);
  return orphan("no snapshot is being made there");
}

verdict judge_operation(const ledger_thing& x) {
  if (!x.damage.empty())
    return damaged(x.damage);
  if (x.has_record)
    return owned("operation " + x.name);
  return orphan("the journal has no such operation");
}

verdict judge(const ledger_thing& x, const ledger_owners& owners) {
  if (!x.owner.empty())
    return owned(x.owner);
  if (x.is_foreign)
    return {ledger_state::foreign,
            {},
            "nothing of forkfleet's is called so; if nobody needs it, remove "
            "it by hand"};
  switch (x.kind) {
    case ledger_kind::process:
      return judge_process(x, owners);
    case ledger_kind::sandbox:
    case ledger_kind::capture:
    case ledger_kind::cgroup:
    case ledger_kind::network:
      return judge_sandbox(x, owners);
    case ledger_kind::snapshot:
      return judge_snapshot(x, owners);
    case ledger_kind::staging:
      return judge_staging(x, owners);
    case ledger_kind::operation:
      return judge_operation(x);
    case ledger_kind::file:
      return judge_leftover(x, owners);
  }
  return {ledger_state::foreign, {}, "of no known kind"};
}

std::string clipped(const std::string& text) {
  return text.size() <= ledger_text_max
           ? text
           : text.substr(0, ledger_text_max - 3) + "...";
}

ledger_item item_of(const ledger_thing& x, const ledger_owners& owners,
                    const ledger_times& times) {
  auto said = judge(x, owners);
  const bool is_young = x.since > times.now - times.young;
  if (is_young && is_finding(said.state)) {
    said.state = ledger_state::young;
    said.reason = "it is new; look again later: " + said.reason;
  }
  return {.kind = x.kind,
          .state = said.state,
          .where = clipped(x.where),
          .owner = clipped(said.owner),
          .reason = clipped(said.reason),
          .bytes = x.bytes,
          .since = x.since};
}

/// What the node lists and nobody saw.
void add_missing(host_ledger& ledger, const ledger_owners& owners) {
  auto missing = owners.snapshots;
  for (const auto& [thing, item] : ledger)
    if (thing.kind == ledger_kind::snapshot)
      missing.erase(thing.name);
  for (const auto& tag : missing) {
    if (owners.making.contains(tag) || owners.changing.contains(tag))
      continue;
    ledger.push_back(
      {{.kind = ledger_kind::snapshot, .where = tag, .name = tag},
       {.kind = ledger_kind::snapshot,
        .state = ledger_state::damaged,
        .where = clipped(tag),
        .reason = "it is listed and its directory is not there; restart the "
                  "node"}});
  }
}

} // namespace

host_ledger make_ledger(const std::vector<ledger_thing>& things,
                        const ledger_owners& owners,
                        const ledger_times& times) {
  host_ledger result;
  result.reserve(things.size());
  for (const auto& x : things)
    result.push_back({x, item_of(x, owners, times)});
  add_missing(result, owners);
  return result;
}

fsck_report report_of(const host_ledger& ledger, bool all) {
  fsck_report result;
  std::map<std::pair<ledger_kind, ledger_state>, ledger_count> counts;
  std::vector<ledger_item> items;
  for (const auto& [thing, item] : ledger) {
    auto& count = counts[{item.kind, item.state}];
    count.kind = item.kind;
    count.state = item.state;
    ++count.count;
    count.bytes += item.bytes;
    result.repaired += item.repair == "removed" ? 1 : 0;
    if (all || item.state != ledger_state::owned)
      items.push_back(item);
  }
  for (const auto& [key, count] : counts)
    result.counts.push_back(count);
  // What was found comes before what is only told.
  std::stable_partition(items.begin(), items.end(), [](const ledger_item& x) {
    return is_finding(x.state);
  });
  auto cutter = page_cutter{ledger_items_max};
  const auto rest = std::find_if_not(
    items.begin(), items.end(),
    [&cutter](const ledger_item& x) { return cutter.take(x); });
  result.items_left_out = static_cast<uint64_t>(items.end() - rest);
  items.erase(rest, items.end());
  result.items = std::move(items);
  return result;
}

} // namespace forkfleet
