// SPDX-License-Identifier: Apache-2.0
// Thousands of stories of a whole fleet. FORKFLEET_SEED=n tells one of them
// again, with its log; FORKFLEET_SEEDS=n tells the first n.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>

#include <catch2/catch.hpp>

#include "tests/support/quiet.hpp"
#include "tests/support/simulation.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t seeds_in_ci = 2000;
constexpr uint64_t random_seeds = 100;

std::optional<uint64_t> number_from(const char* variable) {
  const auto* text = std::getenv(variable);
  if (!text || *text == '\0')
    return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

/// The first seed of the range whose story breaks, and how.
struct broken_story {
  uint64_t seed = 0;
  story what = {};
};

std::optional<broken_story> find_broken(uint64_t first, uint64_t count,
                                        story& sum) {
  for (auto seed = first; seed < first + count; ++seed) {
    const auto told = tell(seed);
    if (!told.violation.empty())
      return broken_story{seed, told};
    sum.messages += told.messages;
    sum.ended += told.ended;
    sum.sealed += told.sealed;
    sum.crashes += told.crashes;
  }
  return std::nullopt;
}

void expect_all_hold(uint64_t first, uint64_t count) {
  auto sum = story{};
  auto broken = std::optional<broken_story>{};
  {
    const auto silence = quiet{};
    broken = find_broken(first, count, sum);
  }
  std::cout << count << " seeds from " << first << ": " << sum.messages
            << " messages, " << sum.ended << " endings, " << sum.sealed
            << " snapshots, " << sum.crashes << " restarts of nodes\n";
  if (broken)
    FAIL(broken->what.violation << "\ntell it again: FORKFLEET_SEED="
                                << broken->seed);
}

} // namespace

TEST_CASE("whatever goes wrong, the invariants hold",
          "[simulation][branch][safety]") {
  if (const auto seed = number_from("FORKFLEET_SEED")) {
    const auto told = tell(*seed);
    CHECK(told.violation == all_holds);
    return;
  }
  expect_all_hold(1, number_from("FORKFLEET_SEEDS").value_or(seeds_in_ci));
}

TEST_CASE("they hold for seeds that nobody has tried",
          "[simulation][branch][safety]") {
  if (number_from("FORKFLEET_SEED"))
    return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto first =
    static_cast<uint64_t>(now.count()) % 1000000000 * 1000 + seeds_in_ci;
  expect_all_hold(first, random_seeds);
}

TEST_CASE("a seed tells the same story each time", "[simulation][branch]") {
  const auto silence = quiet{};
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    const auto once = tell(seed);
    const auto again = tell(seed);
    CHECK(once.messages == again.messages);
    CHECK(once.ended == again.ended);
    CHECK(once.violation == again.violation);
  }
}
