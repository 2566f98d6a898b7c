// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/method_choice.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

constexpr auto all = capture_scope::all;
constexpr auto changed = capture_scope::changed;

} // namespace

TEST_CASE("what is tracked is captured that way, in every mode",
          "[node][qemu][method_choice]") {
  const auto mode =
    GENERATE(branch_mode::full, branch_mode::live, branch_mode::diff);
  const auto scope = mode == branch_mode::diff ? changed : all;
  const auto choice = choose_method({.since = "r"}, mode, scope, "r");
  REQUIRE(choice);
  CHECK(choice->kind == method_kind::tracked);
  CHECK(choice->reason.empty());
}

TEST_CASE("a diff against another snapshot is not taken from the tracker",
          "[node][qemu][method_choice][safety]") {
  const auto choice =
    choose_method({.since = "r"}, branch_mode::diff, changed, "other");
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == ec::unsupported);
  CHECK(choice.error().message.find("another snapshot") != std::string::npos);
}

TEST_CASE("the reason names each better method and its obstacle",
          "[node][qemu][method_choice]") {
  const auto facts = method_facts{.tracking_obstacle = "no userfaultfd",
                                  .page_map_obstacle = "no child",
                                  .background_obstacle = "ext4",
                                  .read_obstacle = "no rights"};
  const auto choice = choose_method(facts, branch_mode::diff, changed, "r");
  REQUIRE(choice);
  CHECK(choice->kind == method_kind::stopped_send);
  CHECK(choice->reason
        == "not tracked: no userfaultfd; not page-map: no child; not "
           "background-snapshot: ext4; not stopped-copy: no rights");
}

TEST_CASE("a full capture takes the shortest pause that there is",
          "[node][qemu][method_choice]") {
  auto facts = method_facts{.tracking_obstacle = "Linux is too old",
                            .page_map_obstacle = "no child"};
  const auto short_pause = choose_method(facts, branch_mode::full, all, {});
  REQUIRE(short_pause);
  CHECK(short_pause->kind == method_kind::background);
  facts.background_obstacle = "no userfaultfd";
  const auto stopped = choose_method(facts, branch_mode::full, all, {});
  REQUIRE(stopped);
  CHECK(stopped->kind == method_kind::stopped_copy);
}

TEST_CASE("a live branch that cannot be had is refused with all obstacles",
          "[node][qemu][method_choice]") {
  const auto choice =
    choose_method({.tracking_obstacle = "a", .background_obstacle = "b"},
                  branch_mode::live, all, {});
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == ec::unsupported);
  CHECK(choice.error().message == "not tracked: a; not background-snapshot: b");
}

TEST_CASE("a method that would miss something is not taken",
          "[node][qemu][method_choice][safety]") {
  auto facts = method_facts{};
  facts.missed[static_cast<std::size_t>(method_kind::tracked)] = "direct";
  facts.missed[static_cast<std::size_t>(method_kind::stopped_copy)] = "block";
  const auto live = choose_method(facts, branch_mode::live, all, {});
  REQUIRE(live);
  CHECK(live->kind == method_kind::background);
  CHECK(live->reason == "not tracked: direct");
  const auto full = choose_method(facts, branch_mode::full, all, {});
  REQUIRE(full);
  CHECK(full->kind == method_kind::background);
  facts.background_obstacle = "a tracker";
  const auto stopped = choose_method(facts, branch_mode::full, all, {});
  REQUIRE(stopped);
  CHECK(stopped->kind == method_kind::stopped_send);
  facts.background_obstacle.clear();
  const auto diff = choose_method(facts, branch_mode::diff, changed, "r");
  REQUIRE(diff);
  CHECK(diff->kind == method_kind::background);
}

TEST_CASE("a VM whose snapshots could not be restored is not captured",
          "[node][qemu][method_choice][safety]") {
  const auto mode = GENERATE(branch_mode::full, branch_mode::live);
  const auto choice =
    choose_method({.refusal = "its balloon; leave it out"}, mode, all, {});
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == ec::unsupported);
  CHECK(choice.error().message.find("balloon") != std::string::npos);
}
