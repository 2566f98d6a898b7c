// SPDX-License-Identifier: Apache-2.0
// The power fails after every single call of a node's life, on a disk that
// keeps what was synced and anything else as it likes: no file system's order
// of writes is taken for granted.
#include "tests/support/forgetful_disk.hpp"

#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/store_life.hpp"
#include "tests/support/store_wrongs.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// So many remains are made of each moment, at random.
unsigned rolls() {
  const char* const chosen = std::getenv("FORKFLEET_CRASH_ROLLS");
  return chosen == nullptr ? 2 : static_cast<unsigned>(std::atoi(chosen));
}

/// A life, and how many lines were told after how many changes.
struct recorded_life {
  scratch_directory home = {};
  disk_recorder record{home.path()};
  std::vector<std::string> told = {};
  std::vector<std::size_t> told_at = {}; // the number of changes

  recorded_life() {
    disk::watch_by(&record);
    store_life{home.path() + "/node",
               [this](const auto& line) {
                 told.push_back(line);
                 told_at.push_back(record.changes().size());
               }}
      .run();
    disk::watch_by(nullptr);
  }

  std::vector<std::string> told_by(std::size_t changes) const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < told.size() && told_at[i] <= changes; ++i)
      result.push_back(told[i]);
    return result;
  }
};

void check(const recorded_life& life, std::size_t count, survivors which,
           unsigned seed) {
  CAPTURE(count, static_cast<int>(which), seed);
  const scratch_directory after;
  make_remains(life.record, count, which, seed, after.path());
  const auto wrongs = wrongs_after(after.path() + "/node", life.told_by(count));
  for (const auto& line : wrongs)
    UNSCOPED_INFO(line);
  CHECK(wrongs.empty());
}

} // namespace

TEST_CASE("what was promised survives a disk that keeps no order",
          "[crash][power][safety]") {
  recorded_life life;
  const auto total = life.record.changes().size();
  CHECK(total > 100);
  uint64_t checks = 0;
  for (std::size_t count = 0; count <= total; ++count) {
    check(life, count, survivors::none, 0);
    check(life, count, survivors::all, 0);
    for (unsigned seed = 1; seed <= rolls(); ++seed)
      check(life, count, survivors::some, seed);
    checks += 2 + rolls();
  }
  std::printf("forgetful disk: %zu changes, the power failed %llu times\n",
              total, static_cast<unsigned long long>(checks));
}

TEST_CASE("a forgetful disk forgets what was not synced",
          "[crash][power][forgetful_disk]") {
  recorded_life life;
  const auto total = life.record.changes().size();
  const scratch_directory all;
  make_remains(life.record, total, survivors::all, 0, all.path());
  CHECK(run_program("diff -r " + all.path() + " " + life.home.path()));
  const scratch_directory none;
  make_remains(life.record, 3, survivors::none, 0, none.path());
  CHECK(
    run_program("diff -r " + none.path() + " " + life.home.path()).has_value()
    == false);
}
