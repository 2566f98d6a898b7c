// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/cascade_plan.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

std::vector<std::string> names_of(const std::vector<cascade_step>& steps) {
  std::vector<std::string> result;
  for (const auto& x : steps)
    result.push_back((x.is_snapshot ? "rm " : "stop ") + x.name);
  return result;
}

/// root has a diff over it, that has another; a child runs on each.
lineage_tree sample() {
  return grow_tree(
    {{.id = {"web"}, .state = sandbox_state::running},
     {.id = {"c1"}, .state = sandbox_state::running, .parent = {"root"}},
     {.id = {"c2"}, .state = sandbox_state::running, .parent = {"top"}},
     {.id = {"over"}, .state = sandbox_state::gone, .parent = {"top"}}},
    {{.tag = {"root"}, .source = {"web"}},
     {.tag = {"mid"}, .source = {"web"}, .base = {"root"}},
     {.tag = {"top"}, .source = {"web"}, .base = {"mid"}},
     {.tag = {"free"}, .source = {"c1"}, .parent = {"root"}}});
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("a cascade takes what needs a snapshot before it",
          "[actors][shell][lineage]") {
  CHECK(names_of(cascade_of(sample(), {"root"}))
        == names{"stop c2", "rm top", "stop c1", "rm mid", "rm root"});
  CHECK(names_of(cascade_of(sample(), {"top"})) == names{"stop c2", "rm top"});
  CHECK(cascade_of(sample(), {"top"})[0].why == "maps top");
}

TEST_CASE("a cascade leaves what can do without the snapshot",
          "[actors][shell][lineage][safety]") {
  CHECK(names_of(cascade_of(sample(), {"free"})) == names{"rm free"});
  CHECK(cascade_of(sample(), {"none"}).empty());
}
