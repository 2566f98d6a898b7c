// SPDX-License-Identifier: Apache-2.0
#include "node/branch_cancel.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("a branch that was asked to end does not pass",
          "[node][branch_cancel][safety]") {
  auto cancel = branch_cancel{};
  CHECK(cancel.ask());
  CHECK(cancel.ask());
  CHECK(cancel.is_asked());
  CHECK_FALSE(cancel.pass());
}

TEST_CASE("a branch that passed is not asked to end",
          "[node][branch_cancel][safety]") {
  auto cancel = branch_cancel{};
  CHECK(cancel.pass());
  CHECK_FALSE(cancel.ask());
  CHECK_FALSE(cancel.is_asked());
  CHECK(cancel.pass());
}

TEST_CASE("who waits hears at once that it is to end",
          "[node][branch_cancel][threads]") {
  auto cancel = branch_cancel{};
  auto asker = std::thread{[asked = &cancel] { asked->ask(); }};
  // It would be an hour.
  cancel.wait_until(std::chrono::steady_clock::now() + 1h);
  asker.join();
  CHECK(cancel.is_asked());
}

TEST_CASE("whoever comes first decides, and only one",
          "[node][branch_cancel][threads][safety]") {
  for (int i = 0; i < 200; ++i) {
    auto cancel = branch_cancel{};
    auto was_asked = false;
    auto asker = std::thread{
      [asked = &cancel, answer = &was_asked] { *answer = asked->ask(); }};
    const auto has_passed = cancel.pass();
    asker.join();
    CHECK(was_asked != has_passed);
  }
}
