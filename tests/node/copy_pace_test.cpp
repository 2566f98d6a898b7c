// SPDX-License-Identifier: Apache-2.0
#include "node/copy_pace.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t mib = 1 << 20;

} // namespace

TEST_CASE("a copy that will not be done in time is told early, not at the end",
          "[node][copy_pace]") {
  const auto pace = copy_pace{256 * mib, 60s};
  // 12 MiB in 20 s: 427 s.
  CHECK(pace.is_too_slow(12 * mib, 20s));
  CHECK(pace.text(12 * mib, 20s)
        == "12 of 256 MiB in 20 s; all of it would take 427 s, 60 s are "
           "allowed");
  // Too early to tell.
  CHECK_FALSE(pace.is_too_slow(0, 1s));
  CHECK_FALSE(pace.is_too_slow(mib, 14s));
  CHECK(pace.is_too_slow(0, 16s));
}

TEST_CASE("a copy that is nearly fast enough goes on", "[node][copy_pace]") {
  const auto pace = copy_pace{256 * mib, 60s};
  // 80 s at this pace: it may become faster.
  CHECK_FALSE(pace.is_too_slow(64 * mib, 20s));
  CHECK_FALSE(pace.is_too_slow(256 * mib, 200s));
}

TEST_CASE("at any steady pace that is in time nothing is told",
          "[node][copy_pace][property]") {
  const auto allowed = GENERATE(1s, 10s, 600s);
  const auto pace = copy_pace{1024 * mib, allowed};
  for (int part = 1; part < 100; ++part)
    CHECK_FALSE(pace.is_too_slow(1024 * mib * static_cast<uint64_t>(part) / 100,
                                 allowed * part / 100));
}
