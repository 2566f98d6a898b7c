// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/exit_code.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using shell::exit_code;
using shell::exit_code_of;

TEST_CASE("the documented numbers never move", "[actors][shell][exit_code]") {
  CHECK(static_cast<int>(exit_code::done) == 0);
  CHECK(static_cast<int>(exit_code::failed) == 1);
  CHECK(static_cast<int>(exit_code::usage) == 2);
  CHECK(static_cast<int>(exit_code::configuration) == 3);
  CHECK(static_cast<int>(exit_code::not_permitted) == 4);
  CHECK(static_cast<int>(exit_code::not_found) == 5);
  CHECK(static_cast<int>(exit_code::conflict) == 6);
  CHECK(static_cast<int>(exit_code::unreachable) == 7);
  CHECK(static_cast<int>(exit_code::no_capacity) == 8);
  CHECK(static_cast<int>(exit_code::partly) == 9);
  CHECK(static_cast<int>(exit_code::findings) == 10);
  CHECK(static_cast<int>(exit_code::hung_up) == 129);
  CHECK(static_cast<int>(exit_code::interrupted) == 130);
  CHECK(static_cast<int>(exit_code::terminated) == 143);
}

TEST_CASE("each error ends the tool by what a script does next",
          "[actors][shell][exit_code]") {
  CHECK(exit_code_of(ec::none) == exit_code::done);
  CHECK(exit_code_of(ec::invalid_request) == exit_code::usage);
  CHECK(exit_code_of(ec::unknown_sandbox) == exit_code::not_found);
  CHECK(exit_code_of(ec::snapshot_exists) == exit_code::conflict);
  CHECK(exit_code_of(ec::branch_in_progress) == exit_code::conflict);
  CHECK(exit_code_of(ec::not_permitted) == exit_code::not_permitted);
  CHECK(exit_code_of(ec::node_busy) == exit_code::no_capacity);
  CHECK(exit_code_of(ec::disk_full) == exit_code::no_capacity);
  CHECK(exit_code_of(ec::node_down) == exit_code::unreachable);
  CHECK(exit_code_of(ec::deadline_exceeded) == exit_code::unreachable);
  CHECK(exit_code_of(ec::guest_stuck) == exit_code::failed);
}

TEST_CASE("what is in use is a conflict to who removes it",
          "[actors][shell][exit_code]") {
  using shell::removal_code_of;
  CHECK(removal_code_of(ec::invalid_request) == exit_code::conflict);
  CHECK(removal_code_of(ec::node_busy) == exit_code::conflict);
  CHECK(removal_code_of(ec::unknown_snapshot) == exit_code::not_found);
  CHECK(removal_code_of(ec::node_down) == exit_code::unreachable);
}

TEST_CASE("no failure ends the tool as if all were well",
          "[actors][shell][exit_code][safety]") {
  for (const auto& entry : enum_table(ec{}))
    CHECK((entry.value == ec::none)
          == (exit_code_of(entry.value) == exit_code::done));
}

TEST_CASE("several outcomes are done, partly done, or the first failure",
          "[actors][shell][exit_code]") {
  using list = std::vector<ec>;
  CHECK(exit_code_of(list{}) == exit_code::done);
  CHECK(exit_code_of(list{ec::none, ec::none}) == exit_code::done);
  CHECK(exit_code_of(list{ec::none, ec::disk_full}) == exit_code::partly);
  CHECK(exit_code_of(list{ec::unknown_sandbox}) == exit_code::not_found);
  CHECK(exit_code_of(list{ec::node_busy, ec::io_failed})
        == exit_code::no_capacity);
}
