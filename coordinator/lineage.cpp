// SPDX-License-Identifier: Apache-2.0
#include "coordinator/lineage.hpp"

#include <utility>

#include <fmt/format.h>

namespace forkfleet {

namespace {

using problems_t = std::vector<lineage_problem>;

/// Whether `info` may take a name on its host; tells why not.
template <class Id, class Info>
bool may_claim(const claims<Id, Info>& known, const Id& id, const Info& info,
               lineage_problem problem, problems_t& problems) {
  if (!is_valid(id)) {
    problem.message =
      fmt::format("'{}' is no {} name", id.value, Id::tag_type::kind);
  } else if (!known.find(id, info.host)
             && known.count(info.host) >= lineage::names_per_host_max) {
    problem.message =
      fmt::format("the host has more than {} names", known.count(info.host));
  } else {
    return true;
  }
  problems.push_back(std::move(problem));
  return false;
}

/// Claims the name, and tells when another host has it already.
template <class Id, class Info>
void claim(claims<Id, Info>& known, const Id& id, const Info& info,
           lineage_problem problem, problems_t& problems) {
  if (known.put(id, info) != claims<Id, Info>::put_result::clashed)
    return;
  problem.message =
    fmt::format("the name '{}' is kept by host '{}'; remove one of the two",
                id.value, known.find(id)->host.value);
  problems.push_back(std::move(problem));
}

} // namespace

void lineage::begin(const host_name& host) {
  told_.try_emplace(host);
}

void lineage::interrupt(const host_name& host) {
  told_.erase(host);
}

std::vector<lineage_problem> lineage::apply(const inventory_page& page) {
  auto problems = problems_t{};
  for (auto info : page.sandboxes) {
    info.host = page.host;
    put(info, problems);
  }
  for (auto info : page.snapshots) {
    info.host = page.host;
    put(std::move(info), problems);
  }
  for (const auto& id : page.removed_sandboxes)
    drop(id, page.host);
  for (const auto& tag : page.removed_snapshots)
    drop(tag, page.host);
  if (page.whole && page.last)
    finish(page.host);
  return problems;
}

void lineage::learn(const sandbox_info& info) {
  auto problems = problems_t{};
  put(info, problems);
}

void lineage::learn(const snapshot_info& info) {
  auto problems = problems_t{};
  put(info, problems);
}

void lineage::drop(const sandbox_id& id, const host_name& host) {
  if (const auto told = told_.find(host); told != told_.end())
    told->second.sandboxes.erase(id);
  const auto* info = sandboxes_.find(id, host);
  if (!info)
    return;
  const auto parent = info->parent;
  sandboxes_.drop(id, host);
  unrefer(parent);
}

void lineage::drop(const snapshot_tag& tag, const host_name& host) {
  if (const auto told = told_.find(host); told != told_.end())
    told->second.snapshots.erase(tag);
  const auto* info = snapshots_.find(tag, host);
  if (!info)
    return;
  const auto parent = info->parent;
  snapshots_.drop(tag, host);
  const bool has_children = children_.contains(tag);
  if (has_children && !snapshots_.find(tag) && removed_.size() < ancestors_max)
    removed_[tag] = parent;
  else
    unrefer(parent);
}

const sandbox_info* lineage::find(const sandbox_id& id) const {
  return sandboxes_.find(id);
}

const snapshot_info* lineage::find(const snapshot_tag& tag) const {
  return snapshots_.find(tag);
}

const sandbox_info*
lineage::find_switched(const operation_id& operation) const {
  if (operation.empty())
    return nullptr;
  return sandboxes_.find_if(
    [&](const sandbox_info& x) { return x.switched_by == operation; });
}

bool lineage::has_ancestor(const snapshot_tag& tag) const {
  return snapshots_.find(tag) || removed_.contains(tag);
}

sandbox_list lineage::list(const sandboxes_request& request) const {
  auto result = sandbox_list{};
  result.more = sandboxes_.list(request.after, result.sandboxes);
  return result;
}

snapshot_list lineage::list(const snapshots_request& request) const {
  auto result = snapshot_list{};
  result.more = snapshots_.list(request.after, result.snapshots);
  return result;
}

void lineage::put(const sandbox_info& info, problems_t& problems) {
  auto problem = lineage_problem{.host = info.host, .sandbox = info.id};
  if (!may_claim(sandboxes_, info.id, info, problem, problems))
    return;
  const auto* known = sandboxes_.find(info.id, info.host);
  const auto old_parent = known ? known->parent : snapshot_tag{};
  claim(sandboxes_, info.id, info, problem, problems);
  refer(info.parent);
  unrefer(old_parent);
  if (const auto told = told_.find(info.host); told != told_.end())
    told->second.sandboxes.insert(info.id);
}

void lineage::put(snapshot_info info, problems_t& problems) {
  auto problem = lineage_problem{.host = info.host, .tag = info.tag};
  if (!may_claim(snapshots_, info.tag, info, problem, problems))
    return;
  if (info.parent == info.tag)
    info.parent = {};
  const auto* known = snapshots_.find(info.tag, info.host);
  auto old_parent = known ? known->parent : snapshot_tag{};
  if (const auto was = removed_.find(info.tag); was != removed_.end()) {
    old_parent = was->second;
    removed_.erase(was);
  }
  claim(snapshots_, info.tag, info, problem, problems);
  refer(info.parent);
  unrefer(old_parent);
  if (const auto told = told_.find(info.host); told != told_.end())
    told->second.snapshots.insert(info.tag);
}

void lineage::finish(const host_name& host) {
  const auto found = told_.find(host);
  if (found == told_.end())
    return;
  const auto told = std::move(found->second);
  told_.erase(found);
  for (const auto& id : sandboxes_.names_of(host))
    if (!told.sandboxes.contains(id))
      drop(id, host);
  for (const auto& tag : snapshots_.names_of(host))
    if (!told.snapshots.contains(tag))
      drop(tag, host);
}

void lineage::refer(const snapshot_tag& parent) {
  if (parent.empty())
    return;
  ++children_[parent];
  if (!has_ancestor(parent) && removed_.size() < ancestors_max)
    removed_[parent] = {};
}

void lineage::unrefer(snapshot_tag parent) {
  while (!parent.empty()) {
    const auto edges = children_.find(parent);
    if (edges == children_.end() || --edges->second > 0)
      return;
    children_.erase(edges);
    const auto ancestor = removed_.find(parent);
    if (ancestor == removed_.end())
      return;
    const auto next = std::move(ancestor->second);
    removed_.erase(ancestor);
    parent = next;
  }
}

} // namespace forkfleet
