// SPDX-License-Identifier: Apache-2.0
// The driver of Firecracker against the conformance cases, over the strict
// fake of its API: with versions that differ in what they keep and merge.
#include <csignal>

#include <catch2/catch.hpp>

#include "tests/conformance/cases.hpp"
#include "tests/support/firecracker_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE("the driver of Firecracker conforms",
          "[conformance][firecracker][safety]") {
  const auto version =
    GENERATE(as<std::string>{}, "1.4.1", "1.7.0", "1.12.0", "1.14.2");
  for (const auto& each : conformance_cases())
    DYNAMIC_SECTION(version << ": " << each.name) {
      auto subject = firecracker_subject{version};
      each.run(subject);
    }
}
