// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/proven_snapshots.hpp"

#include <catch2/catch.hpp>

using forkfleet::firecracker::proven_snapshots;

TEST_CASE("a snapshot is proven by its root hash, and the oldest is forgotten",
          "[node][proven_snapshots]") {
  auto proven = proven_snapshots{};
  CHECK_FALSE(proven.has("r0"));
  for (std::size_t i = 0; i <= proven_snapshots::count_max; ++i) {
    proven.add("r" + std::to_string(i));
    proven.add("r" + std::to_string(i));
  }
  CHECK_FALSE(proven.has("r0"));
  CHECK(proven.has("r1"));
  CHECK(proven.has("r" + std::to_string(proven_snapshots::count_max)));
}
