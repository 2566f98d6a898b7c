// SPDX-License-Identifier: Apache-2.0
#include "coordinator/event_log.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "actors/link/limits.hpp"
#include "actors/page_cutter.hpp"

using namespace forkfleet;

namespace {

event_log log_of(std::size_t kept_max, int count) {
  auto log = event_log{kept_max};
  for (int i = 1; i <= count; ++i)
    log.push({.detail = std::to_string(i)});
  return log;
}

} // namespace

TEST_CASE("events are numbered from 1 without gaps",
          "[coordinator][event_log]") {
  const auto list = log_of(10, 3).after(0);
  REQUIRE(list.events.size() == 3);
  CHECK(list.events[0].sequence == 1);
  CHECK(list.events[2].sequence == 3);
  CHECK(list.events[2].detail == "3");
  CHECK(list.latest == 3);
  CHECK(list.lost == 0);
}

TEST_CASE("a follower that fell behind is told how many it missed",
          "[coordinator][event_log]") {
  const auto list = log_of(10, 25).after(4);
  REQUIRE(list.events.size() == 10);
  CHECK(list.events[0].sequence == 16);
  CHECK(list.lost == 11);
}

TEST_CASE("a long run of events comes in pages", "[coordinator][event_log]") {
  const auto log = log_of(1000, 250);
  auto seen = uint64_t{0};
  auto pages = 0;
  for (; log.has_after(seen); ++pages) {
    const auto list = log.after(seen);
    CHECK(list.events.size() <= page_entries_max);
    CHECK(list.events.front().sequence == seen + 1);
    seen = list.latest;
  }
  CHECK(pages == 3);
  CHECK(seen == 250);
}

TEST_CASE("a number of an earlier life asks for all that is kept",
          "[coordinator][event_log]") {
  const auto list = log_of(10, 3).after(7000);
  CHECK(list.events.size() == 3);
  CHECK(list.latest == 3);
  CHECK(log_of(10, 3).has_after(7000));
}

TEST_CASE("a follower from now on sees nothing old",
          "[coordinator][event_log]") {
  const auto log = log_of(10, 3);
  CHECK(log.from_now().events.empty());
  CHECK(log.from_now().latest == 3);
  CHECK_FALSE(log.has_after(log.from_now().latest));
  CHECK_FALSE(event_log{10}.has_after(0));
}

TEST_CASE("every event is either seen or counted as lost",
          "[coordinator][event_log][property]") {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    auto dice = std::mt19937{seed};
    auto log = event_log{1 + dice() % 150};
    uint64_t pushed = 0;
    uint64_t met = 0; // seen or lost
    uint64_t position = 0;
    for (int step = 0; step < 100; ++step) {
      for (auto i = dice() % 60; i > 0; --i, ++pushed)
        log.push({});
      const auto list = log.after(position);
      met += list.events.size() + list.lost;
      position = list.latest;
      REQUIRE(position == met);
    }
    while (log.has_after(position))
      position = log.after(position).latest;
    REQUIRE(position == pushed);
  }
}

TEST_CASE("a page of events fits into a message, whatever they say",
          "[coordinator][event_log][safety]") {
  auto log = event_log{1000};
  for (auto i = 0; i < 150; ++i)
    log.push({.kind = "test.told", .detail = std::string(9000, 'd')});
  log.push({.kind = "test.big", .detail = std::string(300'000, 'd')});
  log.push(
    {.kind = std::string(2000, 'k'), .host = {std::string(300'000, 'h')}});
  uint64_t position = 0;
  auto seen = std::size_t{0};
  while (log.has_after(position)) {
    const auto list = log.after(position);
    REQUIRE_FALSE(list.events.empty());
    CHECK(schema::wire_size(list) < frame_payload_max);
    seen += list.events.size();
    position = list.latest;
  }
  CHECK(seen == 152);
}
