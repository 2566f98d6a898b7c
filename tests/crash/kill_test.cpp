// SPDX-License-Identifier: Apache-2.0
// A node's life is ended before and after every single call that changes its
// disk, and so is the recovery that follows. Nothing that was promised is
// lost, and nothing is left.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/store_life.hpp"
#include "tests/support/store_wrongs.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

using kind = disk_fault::kind;

namespace {

/// Far more calls than any life makes: a guard against one without end.
constexpr uint64_t calls_max = 5000;

/// A recovery is killed, too, after the death at every such call.
constexpr uint64_t second_death_every = 7;

std::string home_of(const scratch_directory& home) {
  return home.path() + "/node";
}

death life_with(const std::string& path, disk_fault fault) {
  return death_of([&](const teller& tell) {
    disk_breaker breaker{fault};
    disk::watch_by(&breaker);
    store_life{path, tell}.run();
  });
}

death recovery_with(const std::string& path, disk_fault fault) {
  return death_of([&](const teller&) {
    disk_breaker breaker{fault};
    disk::watch_by(&breaker);
    static_cast<void>(store_life{path}.open());
  });
}

void check(const std::string& path, const death& past) {
  const auto wrongs = wrongs_after(path, past.told);
  for (const auto& line : wrongs)
    UNSCOPED_INFO(line);
  CHECK(wrongs.empty());
}

/// The numbers of a run, for whoever reads its output.
struct tally {
  uint64_t kills = 0;
  uint64_t recoveries = 0;
  uint64_t promises = 0;

  void print(const char* what) const {
    std::printf("%s: %llu kills, %llu recoveries, %llu promises held\n", what,
                static_cast<unsigned long long>(kills),
                static_cast<unsigned long long>(recoveries),
                static_cast<unsigned long long>(promises));
  }
};

} // namespace

TEST_CASE("a life that nobody disturbs does all that it is to do",
          "[crash][life]") {
  const scratch_directory home;
  const auto past = life_with(home_of(home), {});
  CHECK(past.signal == 0);
  for (const auto& line : past.told)
    CHECK_FALSE(line.starts_with("failed"));
  check(home_of(home), past);
}

TEST_CASE("a node killed at any call that changes its disk loses nothing",
          "[crash][safety]") {
  const auto when = GENERATE(kind::kill_before, kind::kill_after);
  tally count;
  for (uint64_t number = 1; number < calls_max; ++number) {
    const scratch_directory home;
    const auto past = life_with(home_of(home), {when, number});
    if (past.signal == 0)
      break;
    CAPTURE(number);
    REQUIRE(past.signal == SIGKILL);
    ++count.kills;
    check(home_of(home), past);
    ++count.recoveries;
    count.promises += past.told.size();
  }
  CHECK(count.kills > 100);
  count.print(when == kind::kill_before ? "before a call" : "after a call");
}

TEST_CASE("a node killed again while it recovers loses nothing",
          "[crash][safety]") {
  tally count;
  for (uint64_t number = 1; number < calls_max; number += second_death_every) {
    for (uint64_t second = 1; second < calls_max; ++second) {
      const scratch_directory home;
      const auto past = life_with(home_of(home), {kind::kill_before, number});
      if (past.signal == 0) {
        count.print("in a recovery");
        return;
      }
      CAPTURE(number, second);
      ++count.kills;
      const auto recovery =
        recovery_with(home_of(home), {kind::kill_before, second});
      if (recovery.signal == 0)
        break;
      ++count.kills;
      check(home_of(home), past);
      ++count.recoveries;
      count.promises += past.told.size();
    }
  }
}
