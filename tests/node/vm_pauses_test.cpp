// SPDX-License-Identifier: Apache-2.0
#include "node/vm_pauses.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t mib = 1 << 20;

const auto kind = pause_kind{.method = "stopped-copy"};

} // namespace

TEST_CASE("a prediction without a measurement is said to be an assumption",
          "[node][vm_pauses]") {
  auto pauses = vm_pauses{};
  const auto told = pauses.forecast(kind, mib, 50ms);
  CHECK(told.pause == 50ms);
  CHECK(told.is_assumed);
  CHECK(told.basis.find("assumption") != std::string::npos);
  CHECK(told.residual_bytes == mib);
  CHECK_FALSE(pauses.knows(kind));
}

TEST_CASE("a VM's own pauses count before those of others, and these before "
          "an assumption",
          "[node][vm_pauses]") {
  const auto host = std::make_shared<host_pauses>();
  auto other = vm_pauses{host};
  other.learn(kind, {mib, 900ms});
  auto pauses = vm_pauses{host};
  const auto first = pauses.forecast(kind, mib, 50ms);
  CHECK(first.pause == 900ms);
  CHECK_FALSE(first.is_assumed);
  CHECK(first.basis == "1 pause of other VMs of this host");
  pauses.learn(kind, {mib, 30ms});
  pauses.learn(kind, {mib, 30ms});
  const auto own = pauses.forecast(kind, mib, 50ms);
  CHECK(own.pause == 30ms);
  CHECK(own.basis == "2 pauses of this VM");
}

TEST_CASE("a refusal counts for the kind that was forecast",
          "[node][vm_pauses]") {
  auto pauses = vm_pauses{};
  pauses.refused(); // nothing was forecast
  for (uint64_t i = 0; i < pause_history::refusals_first; ++i) {
    CHECK_FALSE(pauses.forecast(kind, mib, 50ms).is_due);
    pauses.refused();
  }
  CHECK(pauses.forecast(kind, mib, 50ms).is_due);
  CHECK_FALSE(pauses.forecast({.method = "other"}, mib, 50ms).is_due);
  pauses.forecast(kind, mib, 50ms);
  pauses.begin();
  CHECK_FALSE(pauses.forecast(kind, mib, 50ms).is_due);
}
