// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/settings.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::guest;

TEST_CASE("a command line without our words gives the defaults",
          "[examples][settings]") {
  const auto x = parse_settings("console=ttyS0 quiet panic=1\n");
  CHECK(x.rate_mib == 100);
  CHECK(x.set_mib == 64);
  CHECK(x.tick_us == 500);
  CHECK(x.ports == 1);
  CHECK(x.idle == idle_kind::spin);
  CHECK(x.problems.empty());
}

TEST_CASE("each of our words is read", "[examples][settings]") {
  const auto x = parse_settings(
    "quiet ff.rate_mib=0 ff.set_mib=256 ff.tick_us=1000 ff.idle=sleep "
    "ff.ports=0");
  CHECK(x.rate_mib == 0);
  CHECK(x.set_mib == 256);
  CHECK(x.tick_us == 1000);
  CHECK(x.ports == 0);
  CHECK(x.idle == idle_kind::sleep);
}

TEST_CASE("a wrong word leaves the default and is named",
          "[examples][settings]") {
  const auto* word = GENERATE("ff.rate_mib=4097", "ff.rate_mib=-1",
                              "ff.rate_mib=", "ff.rate_mib", "ff.rate_mib=1x",
                              "ff.idle=nap", "ff.rat=1");
  const auto x = parse_settings(word);
  CHECK(x.rate_mib == 100);
  CHECK(x.idle == idle_kind::spin);
  REQUIRE(x.problems.size() == 1);
  CHECK(x.problems[0].starts_with("ff."));
}
