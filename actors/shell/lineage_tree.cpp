// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/lineage_tree.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace forkfleet::shell {
namespace {

/// The strokes of a tree.
struct rails {
  const char* branch;
  const char* last;
  const char* trunk;
  const char* space;
};

constexpr rails drawn{"├─ ", "└─ ", "│  ", "   "};
constexpr rails plain{"|- ", "`- ", "|  ", "   "};

bool may_run(sandbox_state x) {
  return x != sandbox_state::stopped && x != sandbox_state::gone;
}

class tree_builder {
public:
  lineage_tree build(const std::vector<sandbox_info>& sandboxes,
                     const std::vector<snapshot_info>& snapshots) {
    for (const auto& x : snapshots)
      add_snapshot(x);
    for (const auto& x : sandboxes)
      add_sandbox(x);
    for (const auto& x : snapshots)
      hang(snapshots_.at(x.tag), sandbox_of(x));
    // Those that are gone were just added: they have parents, too.
    for (const auto& [key, place] : sandboxes_)
      if (!key.second.empty())
        hang(place, snapshot_of(key.second));
    find_roots();
    date_what_is_gone();
    sort_all();
    return std::move(tree_);
  }

private:
  /// A sandbox's name and the snapshot that it was restored from.
  using sandbox_key = std::pair<sandbox_id, snapshot_tag>;

  std::size_t add(lineage_entry x) {
    tree_.entries.push_back(std::move(x));
    return tree_.entries.size() - 1;
  }

  void add_snapshot(const snapshot_info& x) {
    snapshots_.emplace(x.tag, add({.name = x.tag.value,
                                   .is_snapshot = true,
                                   .snapshot = x,
                                   .at = x.created_at}));
  }

  void add_sandbox(const sandbox_info& x) {
    sandboxes_.emplace(
      sandbox_key{x.id, x.parent},
      add({.name = x.id.value, .sandbox = x, .at = x.started_at}));
  }

  std::size_t sandbox_of(const snapshot_info& x) {
    const sandbox_key key{x.source, x.parent};
    const auto found = sandboxes_.find(key);
    if (found != sandboxes_.end())
      return found->second;
    return sandboxes_.emplace(key, add({.name = x.source.value})).first->second;
  }

  std::size_t snapshot_of(const snapshot_tag& tag) {
    const auto found = snapshots_.find(tag);
    if (found != snapshots_.end())
      return found->second;
    return snapshots_
      .emplace(tag, add({.name = tag.value, .is_snapshot = true}))
      .first->second;
  }

  void hang(std::size_t place, std::size_t above) {
    tree_.entries[place].above = above;
    tree_.entries[above].below.push_back(place);
  }

  /// Marks all below, each once.
  void reach(std::size_t root) {
    std::vector<std::size_t> todo{root};
    while (!todo.empty()) {
      const auto place = todo.back();
      todo.pop_back();
      if (is_reached_[place])
        continue;
      is_reached_[place] = true;
      const auto& below = tree_.entries[place].below;
      todo.insert(todo.end(), below.begin(), below.end());
    }
  }

  void find_roots() {
    is_reached_.resize(tree_.entries.size());
    for (std::size_t i = 0; i < tree_.entries.size(); ++i)
      if (!tree_.entries[i].above)
        make_root(i);
    for (const auto place : in_circles())
      if (!is_reached_[place])
        cut(place);
  }

  void cut(std::size_t place) {
    auto& x = tree_.entries[place];
    auto& beside = tree_.entries[*x.above].below;
    beside.erase(std::find(beside.begin(), beside.end(), place));
    x.above.reset();
    make_root(place);
  }

  void make_root(std::size_t place) {
    tree_.roots.push_back(place);
    reach(place);
  }

  /// What no root leads to, the oldest first; what is gone has no time yet,
  /// and comes last.
  std::vector<std::size_t> in_circles() const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < tree_.entries.size(); ++i)
      if (!is_reached_[i])
        result.push_back(i);
    const auto rank = [this](std::size_t i) {
      const auto& x = tree_.entries[i];
      return std::pair{x.is_gone(), x.at};
    };
    std::sort(result.begin(), result.end(),
              [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    return result;
  }

  /// As old as the oldest that came of it. What stands above comes later in
  /// the reversed order of a walk.
  void date_what_is_gone() {
    for (const auto& line : lines_of(tree_, tree_.roots, false))
      order_.push_back(line.entry);
    for (auto i = order_.rbegin(); i != order_.rend(); ++i) {
      auto& x = tree_.entries[*i];
      if (!x.is_gone() || x.below.empty())
        continue;
      x.at = tree_.entries[x.below.front()].at;
      for (const auto below : x.below)
        x.at = std::min(x.at, tree_.entries[below].at);
    }
  }

  void sort_all() {
    const auto by_time = [this](std::size_t a, std::size_t b) {
      const auto& x = tree_.entries[a];
      const auto& y = tree_.entries[b];
      return std::tie(x.at, x.name) < std::tie(y.at, y.name);
    };
    std::sort(tree_.roots.begin(), tree_.roots.end(), by_time);
    for (auto& x : tree_.entries)
      std::sort(x.below.begin(), x.below.end(), by_time);
  }

  lineage_tree tree_ = {};
  std::map<snapshot_tag, std::size_t> snapshots_ = {};
  std::map<sandbox_key, std::size_t> sandboxes_ = {};
  std::vector<bool> is_reached_ = {};
  std::vector<std::size_t> order_ = {};
};

} // namespace

lineage_tree grow_tree(const std::vector<sandbox_info>& sandboxes,
                       const std::vector<snapshot_info>& snapshots) {
  return tree_builder{}.build(sandboxes, snapshots);
}

std::optional<std::size_t> find_in(const lineage_tree& tree,
                                   const std::string& name) {
  std::optional<std::size_t> best;
  const auto rank = [&tree](std::size_t i) {
    const auto& x = tree.entries[i];
    return std::pair{x.is_gone(), x.is_snapshot};
  };
  for (std::size_t i = 0; i < tree.entries.size(); ++i)
    if (tree.entries[i].name == name && (!best || rank(i) < rank(*best)))
      best = i;
  return best;
}

std::optional<std::vector<snapshot_need>> needs_of(const lineage_tree& tree,
                                                   const snapshot_tag& tag) {
  std::vector<snapshot_need> result;
  bool is_there = false;
  for (const auto& x : tree.entries) {
    is_there = is_there || (x.snapshot && x.snapshot->tag == tag);
    if (x.snapshot && x.snapshot->base == tag)
      result.push_back(
        {x.name, "snapshot",
         "is a diff over it; forkfleet flatten " + x.name + " ends that"});
    if (x.sandbox && x.sandbox->parent == tag && may_run(x.sandbox->state))
      result.push_back(
        {x.name, "sandbox",
         "maps its memory; forkfleet stop " + x.name + " ends that"});
  }
  if (!is_there)
    return std::nullopt;
  std::sort(result.begin(), result.end(),
            [](const snapshot_need& a, const snapshot_need& b) {
              return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
            });
  return result;
}

std::vector<lineage_line> lines_of(const lineage_tree& tree,
                                   const std::vector<std::size_t>& roots,
                                   bool utf8) {
  const auto& strokes = utf8 ? drawn : plain;
  /// An entry that is still to come, and what is drawn for those below it.
  struct step {
    lineage_line line;
    std::string trunk;
  };
  std::vector<step> todo;
  for (auto i = roots.rbegin(); i != roots.rend(); ++i)
    todo.push_back({{.entry = *i}, {}});
  std::vector<lineage_line> result;
  while (!todo.empty()) {
    const auto [line, trunk] = std::move(todo.back());
    todo.pop_back();
    const auto& below = tree.entries[line.entry].below;
    for (std::size_t i = below.size(); i-- > 0;) {
      const bool is_last = i + 1 == below.size();
      todo.push_back(
        {{.entry = below[i],
          .depth = line.depth + 1,
          .rails = trunk + (is_last ? strokes.last : strokes.branch)},
         trunk + (is_last ? strokes.space : strokes.trunk)});
    }
    result.push_back(line);
  }
  return result;
}

} // namespace forkfleet::shell
