// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_holds.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("a snapshot is held until the last hold of it is gone",
          "[storage][snapshot_holds]") {
  const auto holds = std::make_shared<snapshot_holds>();
  auto first = holds->hold({{"a"}, {"b"}});
  auto copy = first;
  auto second = holds->hold({{"b"}});
  first.reset();
  CHECK(holds->is_held({"a"}));
  copy.reset();
  CHECK_FALSE(holds->is_held({"a"}));
  CHECK(holds->is_held({"b"}));
  second.reset();
  CHECK_FALSE(holds->is_held({"b"}));
}

TEST_CASE("what waits for a snapshot runs when it is free",
          "[storage][snapshot_holds][safety]") {
  auto holds = std::make_shared<snapshot_holds>();
  int ran = 0;
  holds->when_free({"a"}, [&ran] { ++ran; });
  CHECK(ran == 1);
  auto hold = holds->hold({{"a"}});
  holds->when_free({"a"}, [&ran] { ++ran; });
  CHECK(ran == 1);
  holds.reset();
  hold.reset();
  CHECK(ran == 2);
}
