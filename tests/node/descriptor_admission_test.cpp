// SPDX-License-Identifier: Apache-2.0
#include "node/limits/descriptor_admission.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("a VM is refused with the number of descriptors that is missing",
          "[node][descriptor_admission][safety]") {
  // 16 of 64 are kept.
  const auto full = descriptor_sample{.is_known = true, .max = 64, .open = 45};
  const auto refused = admit_descriptors(full, 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::host_full);
  CHECK(refused.error().message.find("3 file descriptors are missing") == 0);
  CHECK(descriptor_room(full, 0) == 0);
  const auto fits = descriptor_sample{.is_known = true, .max = 64, .open = 42};
  CHECK(admit_descriptors(fits, 0));
  CHECK(descriptor_room(fits, 0) == 1);
}

TEST_CASE("VMs that start have their descriptors before they open them",
          "[node][descriptor_admission][safety]") {
  const auto now = descriptor_sample{.is_known = true, .max = 64, .open = 30};
  CHECK(admit_descriptors(now, 2));
  CHECK_FALSE(admit_descriptors(now, 3));
  CHECK(descriptor_room(now, 0) == 3);
  CHECK(descriptor_room(now, 2) == 1);
  CHECK(descriptor_room(now, 3) == 0);
  CHECK(descriptor_room(now, 9) == 0);
}

TEST_CASE("what cannot be counted is room for nothing",
          "[node][descriptor_admission][safety]") {
  const auto refused = admit_descriptors({.is_known = false, .max = 64}, 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::host_full);
  CHECK(descriptor_room({.is_known = false, .max = 64}, 0) == 0);
}

TEST_CASE("the reserve is a part of a small limit, and bounded",
          "[node][descriptor_admission]") {
  CHECK(descriptor_reserve(64) == 16);
  CHECK(descriptor_reserve(1 << 20) == 128);
  CHECK(descriptor_room({.is_known = true, .max = 1 << 20, .open = 40}, 0)
        > 170'000);
}
