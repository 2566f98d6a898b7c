// SPDX-License-Identifier: Apache-2.0
#include "actors/log_limit.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

struct limit_fixture {
  log::log_limit limit{{.burst = 3, .per_second = 1, .all_subjects = 2}};
  log::log_limit::time_point now{100h};

  int taken(std::string_view event, std::string_view subject, int tries) {
    auto count = 0;
    for (auto i = 0; i < tries; ++i)
      count += limit.take(event, subject, now) ? 1 : 0;
    return count;
  }
};

} // namespace

TEST_CASE_METHOD(limit_fixture, "of many lines some are written, then few",
                 "[actors][log][safety]") {
  CHECK(taken("error.ignored", "coordinator", 230'000) == 3);
  now += 2s;
  CHECK(taken("error.ignored", "coordinator", 100) == 2);
  now += 1h;
  CHECK(taken("error.ignored", "coordinator", 100) == 3);
}

TEST_CASE_METHOD(limit_fixture,
                 "who floods silences neither others nor other "
                 "kinds of line",
                 "[actors][log][safety]") {
  CHECK(taken("frame.refused", "client:eve", 1000) == 3);
  CHECK(taken("frame.refused", "client:ann", 1) == 1);
  CHECK(taken("node.lost", "client:eve", 1) == 1);
}

TEST_CASE_METHOD(limit_fixture, "made-up subjects share what a kind may have",
                 "[actors][log][safety]") {
  auto count = 0;
  for (auto i = 0; i < 10'000; ++i)
    count += taken("node.refused", "h" + std::to_string(i), 1);
  CHECK(count == 6);
  CHECK(limit.size() <= 64 + 1);
}

TEST_CASE_METHOD(limit_fixture, "what was not written is counted",
                 "[actors][log]") {
  taken("a.b", "x", 10);
  taken("c.d", "x", 1);
  const auto counts = limit.take_suppressed();
  REQUIRE(counts.size() == 1);
  CHECK(counts[0].event == "a.b");
  CHECK(counts[0].count == 7);
  CHECK(limit.take_suppressed().empty());
}
