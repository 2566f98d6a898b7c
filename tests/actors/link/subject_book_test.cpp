// SPDX-License-Identifier: Apache-2.0
#include "actors/link/subject_book.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("a program is its connection's subject, and nobody after it",
          "[actors][subject_book][safety]") {
  auto unit = subject_book{};
  const auto ann = access_subject{"client:ann", "0A", access_role::operate};
  CHECK(unit.who_is("n1") == access_subject{});
  unit.enter("n1", ann);
  CHECK(unit.who_is("n1") == ann);
  CHECK(unit.who_is("n2") == access_subject{});
  unit.leave("n1");
  CHECK(unit.who_is("n1") == access_subject{});
  unit.leave("n1");
}

TEST_CASE("no connection lends another one its role",
          "[actors][subject_book][safety]") {
  auto unit = subject_book{};
  unit.enter("n1", {"client:ann", "0A", access_role::admin});
  unit.enter("n1", {"client:ann", "0B", access_role::viewer});
  CHECK(unit.who_is("n1").role == access_role::viewer);
  unit.leave("n1");
  CHECK(unit.who_is("n1").role == access_role::viewer);
}
