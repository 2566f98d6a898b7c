// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/lineage_tree.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

sandbox_info sandbox(const std::string& name, const std::string& parent,
                     int at) {
  return {.id = {name}, .parent = {parent}, .started_at = at * 1us};
}

snapshot_info snapshot(const std::string& tag, const std::string& source,
                       const std::string& parent, int at) {
  return {.tag = {tag},
          .source = {source},
          .parent = {parent},
          .created_at = at * 1us};
}

/// The tree as lines, what is gone in brackets.
std::vector<std::string> drawn(const lineage_tree& tree,
                               const std::vector<std::size_t>& roots) {
  std::vector<std::string> result;
  for (const auto& line : lines_of(tree, roots, false)) {
    const auto& x = tree.entries[line.entry];
    result.push_back(line.rails + (x.is_gone() ? "(" + x.name + ")" : x.name));
  }
  return result;
}

std::vector<std::string> drawn(const std::vector<sandbox_info>& sandboxes,
                               const std::vector<snapshot_info>& snapshots) {
  const auto tree = grow_tree(sandboxes, snapshots);
  return drawn(tree, tree.roots);
}

using lines = std::vector<std::string>;

} // namespace

TEST_CASE("a tree has each child below its snapshot, by time",
          "[actors][shell][lineage]") {
  CHECK(drawn({sandbox("web", "", 1), sandbox("b", "warm", 5),
               sandbox("a", "warm", 6), sandbox("other", "", 0)},
              {snapshot("late", "web", "", 9), snapshot("warm", "web", "", 2),
               snapshot("deep", "b", "warm", 7)})
        == lines{"other", "web", "|- warm", "|  |- b", "|  |  `- deep",
                 "|  `- a", "`- late"});
}

TEST_CASE("what is gone is shown while something came of it",
          "[actors][shell][lineage]") {
  CHECK(drawn({sandbox("child", "removed", 3)}, {})
        == lines{"(removed)", "`- child"});
  CHECK(drawn({}, {snapshot("kept", "ended", "warm", 3),
                   snapshot("warm", "web", "", 1)})
        == lines{"(web)", "`- warm", "   `- (ended)", "      `- kept"});
}

TEST_CASE("a name that was used again is another sandbox",
          "[actors][shell][lineage]") {
  CHECK(drawn({sandbox("web", "warm", 5)}, {snapshot("warm", "web", "", 1),
                                            snapshot("new", "web", "warm", 6)})
        == lines{"(web)", "`- warm", "   `- web", "      `- new"});
}

TEST_CASE("a circle of names is cut at the oldest",
          "[actors][shell][lineage][safety]") {
  CHECK(drawn({sandbox("x", "a", 3)}, {snapshot("a", "x", "a", 4)})
        == lines{"x", "`- a"});
}

TEST_CASE("a part of a tree is found by what is there first",
          "[actors][shell][lineage]") {
  const auto tree =
    grow_tree({sandbox("web", "", 1), sandbox("same", "warm", 2)},
              {snapshot("warm", "web", "", 1), snapshot("same", "web", "", 3)});
  const auto found = find_in(tree, "same");
  REQUIRE(found);
  CHECK(tree.entries[*found].sandbox);
  CHECK(drawn(tree, {*find_in(tree, "warm")}) == lines{"warm", "`- same"});
  CHECK_FALSE(find_in(tree, "nobody"));
}

TEST_CASE("what needs a snapshot is told with the way out",
          "[actors][shell][lineage]") {
  auto diff = snapshot("diff", "web", "", 2);
  diff.base = {"warm"};
  auto ended = sandbox("ended", "warm", 3);
  ended.state = sandbox_state::gone;
  const auto tree =
    grow_tree({sandbox("web", "", 0), sandbox("child", "warm", 3), ended},
              {snapshot("warm", "web", "", 1), diff});
  const auto needs = needs_of(tree, {"warm"});
  REQUIRE(needs);
  REQUIRE(needs->size() == 2);
  CHECK(needs->at(0).name == "child");
  CHECK(needs->at(0).why.find("forkfleet stop child") != std::string::npos);
  CHECK(needs->at(1).name == "diff");
  CHECK(needs->at(1).why.find("forkfleet flatten diff") != std::string::npos);
  CHECK(needs_of(tree, {"diff"})->empty());
  CHECK_FALSE(needs_of(tree, {"child"}));
}

TEST_CASE("every entry is drawn once, whatever the names are",
          "[actors][shell][lineage][safety]") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random{seed};
    const auto name = [&random] {
      return std::string(1, static_cast<char>('a' + random() % 6));
    };
    const auto parent = [&] { return random() % 3 == 0 ? "" : name(); };
    std::vector<sandbox_info> sandboxes;
    std::vector<snapshot_info> snapshots;
    for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
      if (random() % 2 == 0)
        sandboxes.push_back(
          sandbox(id, parent(), static_cast<int>(random() % 100)));
      if (random() % 2 == 0)
        snapshots.push_back(
          snapshot(id, name(), parent(), static_cast<int>(random() % 100)));
    }
    CAPTURE(seed);
    const auto tree = grow_tree(sandboxes, snapshots);
    std::vector<int> seen(tree.entries.size());
    for (const auto& line : lines_of(tree, tree.roots, true))
      ++seen[line.entry];
    CHECK(std::all_of(seen.begin(), seen.end(), [](int x) { return x == 1; }));
  }
}
