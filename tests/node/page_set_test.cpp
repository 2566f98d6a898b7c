// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_set.hpp"

#include <random>
#include <set>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

constexpr uint64_t page = guest_page_bytes;

} // namespace

TEST_CASE("a set of pages knows what was put in and taken out",
          "[node][qemu][page_set]") {
  auto dice = std::mt19937{7};
  constexpr uint64_t pages = 1000;
  auto mine = page_set{pages * page};
  auto other = std::set<uint64_t>{};
  for (int i = 0; i < 300; ++i) {
    const uint64_t begin = dice() % pages;
    const uint64_t end = begin + 1 + dice() % (pages - begin);
    const bool adds = dice() % 3 != 0;
    const auto range = memory_range{begin * page, end * page};
    adds ? mine.add(range) : mine.remove(range);
    for (auto x = begin; x < end; ++x)
      adds ? static_cast<void>(other.insert(x))
           : static_cast<void>(other.erase(x));
  }
  CHECK(mine.bytes() == other.size() * page);
  auto seen = std::set<uint64_t>{};
  for (auto run = mine.next(0, 7 * page); run.begin < run.end;
       run = mine.next(run.end, 7 * page)) {
    CHECK(run.bytes() <= 7 * page);
    for (auto at = run.begin; at < run.end; at += page) {
      CHECK(mine.has(at));
      seen.insert(at / page);
    }
  }
  CHECK(seen == other);
}

TEST_CASE("runs of an empty set end at once, and sets can be joined",
          "[node][qemu][page_set]") {
  auto one = page_set{130 * page};
  CHECK(one.next(0, page).bytes() == 0);
  auto two = page_set{130 * page};
  two.add({129 * page, 130 * page});
  one.add({0, page});
  one.add(two);
  CHECK(one.bytes() == 2 * page);
  CHECK(one.next(page, page) == memory_range{129 * page, 130 * page});
  one.clear();
  CHECK(one.bytes() == 0);
}
