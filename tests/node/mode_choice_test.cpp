// SPDX-License-Identifier: Apache-2.0
#include "node/mode_choice.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

/// A VM that can do all, on a disk that can clone, with a flat base.
mode_question best_case(branch_mode asked = branch_mode::automatic) {
  return {.asked = asked,
          .vm = {.full = true,
                 .diff = true,
                 .live = true,
                 .full_is_tracked = true,
                 .diff_is_tracked = true},
          .base = {.tag = {"base"}, .root_hash = "ab"},
          .base_obstacle = "there is no base",
          .can_clone = true};
}

void cannot_diff(mode_question& x) {
  x.vm.diff = x.vm.diff_is_tracked = false;
  x.vm.diff_obstacle = "no tracker";
}

void cannot_track_full(mode_question& x) {
  x.vm.full_is_tracked = false;
}

void cannot_live(mode_question& x) {
  x.vm.live = false;
  x.vm.live_obstacle = "no userfaultfd";
}

mode_choice best_of(const mode_question& x) {
  const auto all = list_modes(x);
  REQUIRE(all);
  REQUIRE_FALSE(all->empty());
  return all->front();
}

std::vector<branch_mode> modes_of(const mode_question& x) {
  auto result = std::vector<branch_mode>{};
  const auto all = list_modes(x);
  REQUIRE(all);
  for (const auto& way : *all)
    result.push_back(way.mode);
  return result;
}

} // namespace

TEST_CASE("auto prefers diff, full by tracking, live, full, in this order",
          "[node][mode_choice]") {
  using enum branch_mode;
  auto x = best_case();
  CHECK(modes_of(x) == std::vector{diff, full, live});
  CHECK(best_of(x).reason.empty());
  cannot_track_full(x);
  CHECK(modes_of(x) == std::vector{diff, live, full});
  cannot_diff(x);
  CHECK(modes_of(x) == std::vector{live, full});
  CHECK(best_of(x).reason
        == "not diff: no tracker; not full by tracking: this VM's changes are "
           "not tracked");
  cannot_live(x);
  CHECK(modes_of(x) == std::vector{full});
  CHECK(best_of(x).reason.ends_with("not live: no userfaultfd"));
}

TEST_CASE("without a base auto takes all memory and says why",
          "[node][mode_choice]") {
  auto x = best_case();
  x.base = {};
  const auto way = best_of(x);
  CHECK(way.mode == branch_mode::full);
  CHECK(way.scope == capture_scope::all);
  CHECK(way.form == memory_form::flat);
  CHECK(way.reason == "not diff: there is no base");
}

TEST_CASE("a diff takes what changed since its base", "[node][mode_choice]") {
  const auto way = best_of(best_case(branch_mode::diff));
  CHECK(way.mode == branch_mode::diff);
  CHECK(way.scope == capture_scope::changed);
  CHECK(way.form == memory_form::diff);
  CHECK(way.uses_base());
  CHECK_FALSE(way.flattens_base);
}

TEST_CASE("full clones a flat base where the disk can", "[node][mode_choice]") {
  auto x = best_case(branch_mode::full);
  CHECK(best_of(x).form == memory_form::clone);
  CHECK(best_of(x).scope == capture_scope::changed);
  CHECK(modes_of(x).size() == 2);
  SECTION("not one that is a diff itself") {
    x.base.depth = 1;
  }
  SECTION("not on a disk that cannot") {
    x.can_clone = false;
  }
  SECTION("not of a VM whose changes are only compared") {
    x.vm.diff_is_tracked = false;
  }
  SECTION("not without a base") {
    x.base = {};
  }
  const auto way = best_of(x);
  CHECK(way.form == memory_form::flat);
  CHECK(way.scope == capture_scope::all);
  CHECK(way.mode == branch_mode::full);
  CHECK(way.reason.starts_with("not a clone: "));
}

TEST_CASE("an explicit mode is refused with its obstacle, never changed",
          "[node][mode_choice][safety]") {
  const auto mode =
    GENERATE(branch_mode::full, branch_mode::diff, branch_mode::live);
  const bool by_policy = GENERATE(true, false);
  auto x = best_case(by_policy ? branch_mode::automatic : mode);
  x.policy = mode;
  for (const auto found : modes_of(x))
    CHECK(found == mode);
  cannot_diff(x);
  cannot_live(x);
  x.vm.full = false;
  x.vm.full_obstacle = "it is not ours";
  const auto refused = list_modes(x);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::unsupported);
  CHECK(refused.error().message
        == (mode == branch_mode::full   ? "not full: it is not ours"
            : mode == branch_mode::diff ? "not diff: no tracker"
                                        : "not live: no userfaultfd"));
}

TEST_CASE("the request's mode counts before the policy's",
          "[node][mode_choice]") {
  auto x = best_case(branch_mode::live);
  x.policy = branch_mode::full;
  CHECK(best_of(x).mode == branch_mode::live);
}

TEST_CASE("a chain never grows beyond twice its depth",
          "[node][mode_choice][safety]") {
  auto x = best_case();
  x.chain_depth = 3;
  x.base.depth = 5;
  CHECK(best_of(x).mode == branch_mode::diff);
  CHECK_FALSE(best_of(x).flattens_base);
  x.base.depth = 6;
  CHECK(best_of(x).mode == branch_mode::full);
  CHECK(best_of(x).reason.find("waits to be flattened") != std::string::npos);
  cannot_track_full(x);
  CHECK(best_of(x).mode == branch_mode::diff);
  CHECK(best_of(x).flattens_base);
  x.asked = branch_mode::diff;
  CHECK(best_of(x).flattens_base);
}

TEST_CASE("a comparison takes the newest of its own, else the parent",
          "[node][mode_choice]") {
  const auto make = [](const char* tag, const char* source, int64_t at) {
    return snapshot_info{.tag = {tag},
                         .source = {source},
                         .memory_bytes = 4096,
                         .created_at = microseconds{at}};
  };
  auto sealed = std::vector{make("a", "other", 9), make("p", "origin", 1)};
  CHECK(pick_base(sealed, {"box"}, {"p"}, 4096).tag.value == "p");
  CHECK(pick_base(sealed, {"box"}, {}, 4096).tag.empty());
  CHECK(pick_base(sealed, {"box"}, {"p"}, 8192).tag.empty());
  sealed.push_back(make("new", "box", 7));
  sealed.push_back(make("old", "box", 5));
  CHECK(pick_base(sealed, {"box"}, {"p"}, 4096).tag.value == "new");
  std::ranges::reverse(sealed);
  CHECK(pick_base(sealed, {"box"}, {"p"}, 4096).tag.value == "new");
}
