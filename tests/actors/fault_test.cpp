// SPDX-License-Identifier: Apache-2.0
#include "actors/fault.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <catch2/catch.hpp>

#include "tests/support/child_death.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

using kind = disk_fault::kind;

TEST_CASE("a fault elsewhere, or of no known kind, does nothing",
          "[actors][fault]") {
  const auto* const text =
    GENERATE("", "fail", "fail:", "fail:other", "drop:here", "here");
  ::setenv(fault_variable, text, 1);
  CHECK(fault_point("here"));
  ::unsetenv(fault_variable);
}

TEST_CASE("a fault at a numbered call is read as it is written",
          "[actors][fault]") {
  CHECK(parse_disk_fault("kill:#7") == disk_fault{kind::kill_before, 7});
  CHECK(parse_disk_fault("kill:after#12") == disk_fault{kind::kill_after, 12});
  CHECK(parse_disk_fault("fail:#3:ENOSPC")
        == disk_fault{kind::fail, 3, ENOSPC});
  CHECK(parse_disk_fault("fail:from#1:EIO")
        == disk_fault{kind::fail, 1, EIO, ~uint64_t{0}});
}

TEST_CASE("no other text is a fault at a numbered call", "[actors][fault]") {
  const auto* const text =
    GENERATE("", "kill", "kill:", "kill:seal.renamed", "kill:#", "kill:#x",
             "kill:#1x", "kill:#-1", "kill:before#1", "kill:#1:EIO", "fail:#1",
             "fail:#1:", "fail:#1:EMUCH", "stop:#1", "#1");
  CAPTURE(text);
  CHECK_FALSE(parse_disk_fault(text));
}

TEST_CASE("a breaker fails the one call that it is told to",
          "[actors][fault][safety]") {
  auto breaker = disk_breaker{{kind::fail, 2, EDQUOT}};
  CHECK(breaker.before({}) == 0);
  CHECK(breaker.before({}) == EDQUOT);
  CHECK(breaker.before({}) == 0);
  CHECK(breaker.count() == 3);
}

TEST_CASE("a breaker fails as many calls as it is told to",
          "[actors][fault][safety]") {
  auto breaker = disk_breaker{{kind::fail, 2, EIO, 2}};
  CHECK(breaker.before({}) == 0);
  CHECK(breaker.before({}) == EIO);
  CHECK(breaker.before({}) == EIO);
  CHECK(breaker.before({}) == 0);
  CHECK(breaker.failed() == 2);
}

TEST_CASE("a breaker kills before a call, or after it",
          "[actors][fault][safety]") {
  const auto when = GENERATE(kind::kill_before, kind::kill_after);
  auto reached = death_of([&](const teller& tell) {
    auto breaker = disk_breaker{{when, 2}};
    for (int i = 1; i <= 3; ++i) {
      breaker.before({});
      tell("call " + std::to_string(i));
      breaker.after({}, 0);
    }
  });
  CHECK(reached.signal == SIGKILL);
  CHECK(reached.told.size() == (when == kind::kill_before ? 1 : 2));
}
