// SPDX-License-Identifier: Apache-2.0
#include "node/agent/guest_clock.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_agent.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

microseconds wall() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

struct clock_fixture {
  fake_agent guest;

  guest_agent agent() {
    auto made = guest_agent::connect(guest.socket(), steady_clock::now() + 20s);
    REQUIRE(made);
    return std::move(*made);
  }
  microseconds behind() const { return microseconds{guest.clock_behind_us}; }
};

} // namespace

TEST_CASE_METHOD(clock_fixture, "a guest's clock becomes the host's",
                 "[node][guest_clock][safety]") {
  guest.clock_behind_us = GENERATE(int64_t{3'600'000'000}, int64_t{-700'000});
  // What sets it begins late, by a time that nobody knows before.
  guest.date_delay_us = GENERATE(0, 120'000, 400'000);
  guest.date_takes_fractions = GENERATE(true, false);
  auto there = agent();
  const auto set = set_clock(there, wall,
                             guest.date_takes_fractions ? clock_grain::fraction
                                                        : clock_grain::second,
                             steady_clock::now() + 60s);
  REQUIRE(set);
  CHECK(std::chrono::abs(behind()) < 100ms);
  CHECK(std::chrono::abs(set->difference()) < 100ms);
  CHECK(guest.dates_set <= clock_tries_max);
}

TEST_CASE_METHOD(clock_fixture, "a guest that is right is left alone",
                 "[node][guest_clock]") {
  auto there = agent();
  REQUIRE(
    set_clock(there, wall, clock_grain::fraction, steady_clock::now() + 20s));
  CHECK(guest.dates_set == 0);
}

TEST_CASE_METHOD(clock_fixture, "a date that takes no parts is found out",
                 "[node][guest_clock]") {
  guest.clock_behind_us = 5'000'000;
  guest.date_takes_fractions = false;
  auto there = agent();
  REQUIRE(
    set_clock(there, wall, clock_grain::fraction, steady_clock::now() + 60s));
  CHECK(std::chrono::abs(behind()) < 100ms);
}

TEST_CASE_METHOD(clock_fixture, "a clock that is not set is not told as set",
                 "[node][guest_clock][safety]") {
  guest.clock_behind_us = 3'600'000'000;
  guest.date_is_ignored = true;
  auto there = agent();
  const auto set =
    set_clock(there, wall, clock_grain::fraction, steady_clock::now() + 60s);
  REQUIRE_FALSE(set);
  CHECK(set.error().code == ec::vmm_refused);
  CHECK_THAT(set.error().message, Catch::Contains("ms away"));
}
